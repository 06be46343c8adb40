"""The console's pages of players: the list, one player with the wallet's entries, deposits, withdrawals, cash-outs."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from casino.api.errors import Refused
from casino.pages.desk import ROWS, own_tenant, typed_amount
from casino.pages.sessions import STAFF_PAGE
from casino.pages.visit import Pages, Visit
from shared_service.http.routing import Route


def routes(pages: Pages) -> list[Route]:
    """The pages and their forms."""
    one = "/desk/players/{player_id}"
    return [
        pages.get("/desk/players", show_all, access=STAFF_PAGE, query=("cursor",)),
        pages.get(one, show_one, access=STAFF_PAGE, query=("cursor",)),
        pages.post(f"{one}/cashout", cash_out, access=STAFF_PAGE),
        pages.post(f"{one}/deposit", deposit, access=STAFF_PAGE),
        pages.post(f"{one}/withdraw", withdraw, access=STAFF_PAGE),
    ]


async def show_all(visit: Visit) -> Response:
    """GET /desk/players."""
    return await players_page(visit)


async def show_one(visit: Visit) -> Response:
    """GET /desk/players/{player_id}: the list with the player beside it."""
    return await players_page(visit, chosen=visit.request.path_params["player_id"])


async def players_page(visit: Visit, *, chosen: str | None = None, **values: Any) -> Response:
    """The list, perhaps with one player, a refusal, or what was paid."""
    cursor = visit.query.get("cursor")
    listed = await visit.get("/admin/players", limit=ROWS, cursor=cursor)
    player = None if chosen is None else (await visit.get("/admin/players/{}", chosen))["player"]
    own: dict[str, Any] = {"cashout": None, "transfer": None, "approval": None, **values}
    return visit.page(
        "desk_players.html",
        tenant=await own_tenant(visit),
        listed=listed,
        player=player,
        is_first=cursor is None,
        **own,
    )


async def cash_out(visit: Visit) -> Response:
    """POST /desk/players/{player_id}/cashout: what is to be paid out is on the page that follows."""
    return await _pay(visit, "cashout", {"reason": _reason(visit)})


async def deposit(visit: Visit) -> Response:
    """POST /desk/players/{player_id}/deposit."""
    return await _pay(visit, "deposit", None)


async def withdraw(visit: Visit) -> Response:
    """POST /desk/players/{player_id}/withdraw."""
    return await _pay(visit, "withdraw", None)


async def _pay(visit: Visit, word: str, content: dict[str, Any] | None) -> Response:
    player_id = visit.request.path_params["player_id"]
    try:
        if content is None:
            player = (await visit.get("/admin/players/{}", player_id))["player"]
            amount = typed_amount(visit.form.get("amount", ""), player["currency"], "amountMinor")
            content = {"amountMinor": amount, "reason": _reason(visit)}
        told = await visit.post(f"/admin/players/{{}}/{word}", player_id, content=content)
    except Refused as refused:
        return await players_page(visit, chosen=player_id, **visit.refusal(refused))
    paid = {name: value for name, value in told.content.items() if name != "ok"}
    return await players_page(visit, chosen=player_id, paid_by=word, **paid)


def _reason(visit: Visit) -> str:
    return visit.form.get("reason", "").strip() or "at the desk"
