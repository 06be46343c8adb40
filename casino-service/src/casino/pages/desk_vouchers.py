"""The console's pages of vouchers: sell one or a batch, print a slip, look at one, make one void."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from casino.api.errors import Refused, invalid
from casino.pages.desk import ROWS, own_tenant, typed_amount
from casino.pages.sessions import STAFF_PAGE
from casino.pages.visit import Pages, Visit
from shared_service.http.routing import Route
from shared_service.pages import amounts

SLIP_TOKEN: Final = "x-slip-token"  # noqa: S105 - a header's name


def routes(pages: Pages) -> list[Route]:
    """The pages and their forms."""
    one = "/desk/vouchers/{voucher_id}"
    return [
        pages.get("/desk/vouchers", show_all, access=STAFF_PAGE, query=("cursor",)),
        pages.post("/desk/vouchers", issue, access=STAFF_PAGE),
        pages.get(one, show_one, access=STAFF_PAGE, query=("cursor",)),
        pages.post(f"{one}/slip", slip, access=STAFF_PAGE),
        pages.post(f"{one}/void", void, access=STAFF_PAGE),
    ]


async def show_all(visit: Visit) -> Response:
    """GET /desk/vouchers."""
    return await vouchers_page(visit)


async def show_one(visit: Visit) -> Response:
    """GET /desk/vouchers/{voucher_id}: the list with the voucher beside it."""
    return await vouchers_page(visit, chosen=visit.request.path_params["voucher_id"])


async def vouchers_page(visit: Visit, *, chosen: str | None = None, **values: Any) -> Response:
    """The list, perhaps with one voucher or a refusal."""
    tenant = await own_tenant(visit)
    cursor = visit.query.get("cursor")
    listed = await visit.get("/voucher/agents/{}/vouchers", tenant["tenantId"], limit=ROWS, cursor=cursor)
    voucher = None if chosen is None else (await visit.get("/voucher/{}", chosen))["voucher"]
    return visit.page(
        "desk_vouchers.html", tenant=tenant, listed=listed, voucher=voucher, is_first=cursor is None, **values
    )


async def issue(visit: Visit) -> Response:
    """POST /desk/vouchers: codes and PINs are shown once; the same form sent again shows the same ones."""
    tenant = await own_tenant(visit)
    try:
        content = _issued(visit.form, tenant["currency"])
        told = await visit.post("/voucher/agents/{}/vouchers", tenant["tenantId"], content=content)
    except Refused as refused:
        return await vouchers_page(visit, **visit.refusal(refused))
    answer = told.content
    vouchers = answer["vouchers"] if "vouchers" in answer else [answer["voucher"]]
    return visit.page("desk_issued.html", tenant=await own_tenant(visit), vouchers=vouchers)


async def slip(visit: Visit) -> Response:
    """POST /desk/vouchers/{voucher_id}/slip: the slip, once, as a page to print."""
    voucher_id, token = visit.request.path_params["voucher_id"], visit.form.get("slip_token", "")
    told = await visit.get_raw("/voucher/{}/slip", voucher_id, query={"format": "svg"}, headers={SLIP_TOKEN: token})
    return visit.page("desk_slip.html", tenant=await own_tenant(visit), slip=told.body.decode())


async def void(visit: Visit) -> Response:
    """POST /desk/vouchers/{voucher_id}/void."""
    voucher_id = visit.request.path_params["voucher_id"]
    try:
        await visit.post("/voucher/{}/void", voucher_id, content={})
    except Refused as refused:
        return await vouchers_page(visit, chosen=voucher_id, **visit.refusal(refused))
    return visit.redirect(f"/desk/vouchers/{voucher_id}")


def _issued(form: dict[str, str], currency: str) -> dict[str, Any]:
    """What is issued. Raises Refused for what is no number; whether it is allowed, the platform says."""
    content: dict[str, Any] = {"amountMinor": typed_amount(form.get("amount", ""), currency, "amountMinor")}
    count = amounts.read(form.get("count") or "1", 0)
    if count is None:
        raise invalid("count", "write a whole number from 1 to 500")
    return content if count == 1 else {**content, "count": count}
