"""The player's page of limits and self-exclusion."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from casino.api.errors import Refused, invalid
from casino.money import decimals_of
from casino.pages.player import state_of
from casino.pages.sessions import PLAYER_PAGE
from casino.pages.visit import Pages, Visit
from shared_service.http.routing import Route
from shared_service.pages import amounts

KINDS: Final = (("loss", "Loss"), ("deposit", "Deposit"), ("time", "Time"))
PERIODS: Final = (("day", "a day"), ("week", "a week"), ("month", "a month"))
EXCLUSIONS: Final = (("P7D", "7 days"), ("P1M", "1 month"), ("P6M", "6 months"), ("PERMANENT", "for ever"))
DONE: Final = {
    "set": "The limit is in force.",
    "waiting": "Higher limits wait for 24 hours, and then for your confirmation.",
    "removed": "There is no such limit now.",
    "excluded": "You are excluded from play.",
}
"""What the page says after a form, by the word in its address."""


def routes(pages: Pages) -> list[Route]:
    """The page and its forms."""
    return [
        pages.get("/limits", show, access=PLAYER_PAGE, query=("done",)),
        pages.post("/limits", set_limit, access=PLAYER_PAGE),
        pages.post("/limits/confirm", confirm, access=PLAYER_PAGE),
        pages.post("/limits/exclude", exclude, access=PLAYER_PAGE),
    ]


async def show(visit: Visit) -> Response:
    """GET /limits."""
    return await limits_page(visit, done=DONE.get(visit.query.get("done", "")))


async def limits_page(visit: Visit, **values: Any) -> Response:
    """The page, perhaps with a refusal."""
    own = {"kinds": KINDS, "periods": PERIODS, "exclusions": EXCLUSIONS, "done": None, **values}
    return visit.page("limits.html", state=await state_of(visit), **own)


async def set_limit(visit: Visit) -> Response:
    """POST /limits: with the button `remove` there is no value."""
    form, state = visit.form, await state_of(visit)
    try:
        value = None if "remove" in form else _value(form.get("kind", ""), form.get("value", ""), state["currency"])
        told = await visit.post(
            "/player/limits",
            content={"kind": form.get("kind", ""), "period": form.get("period", ""), "value": value},
        )
    except Refused as refused:
        return await limits_page(visit, **visit.refusal(refused))
    limit = told.content["limit"]
    waits = limit["status"] == "PENDING"
    return visit.redirect(f"/limits?done={'waiting' if waits else 'set' if limit['value'] is not None else 'removed'}")


async def confirm(visit: Visit) -> Response:
    """POST /limits/confirm."""
    try:
        await visit.post("/player/limits/{}/confirm", visit.form.get("limit_id", "") or "-", content={})
    except Refused as refused:
        return await limits_page(visit, **visit.refusal(refused))
    return visit.redirect("/limits?done=set")


async def exclude(visit: Visit) -> Response:
    """POST /limits/exclude, which nothing takes back: the form has a box to tick."""
    if visit.form.get("sure") != "yes":
        refused = invalid("sure", "tick the box to say that you are sure")
        return await limits_page(visit, **visit.refusal(refused))
    try:
        await visit.post("/player/exclude", content={"period": visit.form.get("period", "")})
    except Refused as refused:
        return await limits_page(visit, **visit.refusal(refused))
    return visit.redirect("/limits?done=excluded")


def _value(kind: str, text: str, currency: str) -> int:
    """What was typed, in minor units or minutes. Raises Refused."""
    value = amounts.read(text, 0 if kind == "time" else decimals_of(currency))
    if value is None:
        raise invalid("value", "write minutes as a whole number" if kind == "time" else "write an amount such as 25.00")
    return value
