"""The console's page of a cashier's shifts: open one with the cash in the drawer, close it with what was counted."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from casino.api.errors import Refused
from casino.pages.desk import ROWS, own_tenant, typed_amount
from casino.pages.sessions import STAFF_PAGE
from casino.pages.visit import Pages, Visit
from shared_service.http.routing import Route


def routes(pages: Pages) -> list[Route]:
    """The page and its forms."""
    return [
        pages.get("/desk/shifts", show, access=STAFF_PAGE, query=("cursor",)),
        pages.post("/desk/shifts/open", open_shift, access=STAFF_PAGE),
        pages.post("/desk/shifts/close", close_shift, access=STAFF_PAGE),
    ]


async def show(visit: Visit) -> Response:
    """GET /desk/shifts."""
    return await shifts_page(visit)


async def shifts_page(visit: Visit, **values: Any) -> Response:
    """The list, perhaps with a refusal."""
    cursor = visit.query.get("cursor")
    listed = await visit.get("/admin/shifts", limit=ROWS, cursor=cursor)
    newest = listed["items"][0] if listed["items"] and cursor is None else None
    running = newest if newest is not None and newest["closedAt"] is None else None
    return visit.page(
        "desk_shifts.html", tenant=await own_tenant(visit), listed=listed, running=running, is_first=cursor is None,
        **values,
    )  # fmt: skip


async def open_shift(visit: Visit) -> Response:
    """POST /desk/shifts/open."""
    return await _change(visit, "open", "cashMinor")


async def close_shift(visit: Visit) -> Response:
    """POST /desk/shifts/close."""
    return await _change(visit, "close", "countedMinor")


async def _change(visit: Visit, word: str, field: str) -> Response:
    tenant = await own_tenant(visit)
    try:
        content = {field: typed_amount(visit.form.get("amount", ""), tenant["currency"], field)}
        await visit.post(f"/admin/shifts/{word}", content=content)
    except Refused as refused:
        return await shifts_page(visit, **visit.refusal(refused))
    return visit.redirect("/desk/shifts")
