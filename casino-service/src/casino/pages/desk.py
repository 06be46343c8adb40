"""The console of cashiers and agents: login, vouchers, players. Each page reads and changes through the API."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from casino.api.errors import Refused, invalid
from casino.money import decimals_of
from casino.pages.sessions import OF_STAFF, REFRESHES_STAFF, STAFF_PAGE, VISITOR_PAGE
from casino.pages.visit import Pages, Visit
from shared_service.http.routing import Route
from shared_service.pages import amounts

ROWS: Final = 25
DESK_TYPE: Final = "AGENT"
"""Of the tenants that have floats which pay for vouchers."""


def routes(pages: Pages) -> list[Route]:
    """Login, logout, and the first page."""
    return [
        pages.get("/desk/login", show_login, access=VISITOR_PAGE),
        pages.post("/desk/login", log_in, access=VISITOR_PAGE),
        pages.post("/desk/logout", log_out, access=STAFF_PAGE),
        pages.get("/desk", first, access=STAFF_PAGE),
    ]


async def show_login(visit: Visit) -> Response:
    """GET /desk/login."""
    return visit.page("desk_login.html", asks_otp=False)


async def log_in(visit: Visit) -> Response:
    """POST /desk/login. The one-time password is asked for after the right password, where one is enrolled."""
    content = {name: visit.form.get(name, "") for name in ("username", "password")}
    otp = visit.form.get("otp", "").strip()
    try:
        told = await visit.post("/staff/login", content={**content, **({"otp": otp} if otp else {})})
    except Refused as refused:
        asks = refused.code == "OTP_REQUIRED" or "otp" in visit.form
        return visit.page("desk_login.html", asks_otp=asks, **visit.refusal(refused))
    visit.session.changes |= {OF_STAFF: told.content["token"], REFRESHES_STAFF: told.content["refreshToken"]}
    return visit.redirect("/desk")


async def log_out(visit: Visit) -> Response:
    """POST /desk/logout."""
    await visit.post("/staff/logout", content={})
    visit.session.changes |= {OF_STAFF: None, REFRESHES_STAFF: None}
    return visit.redirect("/desk/login")


async def first(visit: Visit) -> Response:
    """GET /desk: the vouchers of the own agent; staff above agents begin with the players."""
    tenant = await own_tenant(visit)
    return visit.redirect("/desk/vouchers" if tenant["type"] == DESK_TYPE else "/desk/players")


async def own_tenant(visit: Visit) -> dict[str, Any]:
    """The tenant of who visits. An owner has none: the console is for the staff of tenants."""
    if visit.caller.tenant_id is None:
        raise Refused("FORBIDDEN", sentence="This console is for the staff of a tenant; an owner belongs to none")
    tenant: dict[str, Any] = (await visit.get("/admin/tenants/{}", visit.caller.tenant_id))["tenant"]
    return tenant


def typed_amount(text: str, currency: str, field: str) -> int:
    """An amount that somebody typed, in minor units. Raises Refused."""
    value = amounts.read(text, decimals_of(currency))
    if value is None:
        raise invalid(field, f"write an amount such as {amounts.shown(2500, decimals_of(currency))}")
    return value
