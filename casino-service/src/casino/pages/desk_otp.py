"""The console's page of one-time passwords: enrol, and confirm with the first one."""

from __future__ import annotations

from typing import Any, Final

import segno
from starlette.responses import Response

from casino.api.errors import Refused
from casino.pages.sessions import STAFF_PAGE
from casino.pages.visit import Pages, Visit
from shared_service.http.routing import Route

PATH: Final = "/desk/otp"
QR_SCALE: Final = 5


def routes(pages: Pages) -> list[Route]:
    """The page and its forms. Who has to enrol first can open it, and no other page of the console."""
    return [
        pages.get(PATH, show, access=STAFF_PAGE),
        pages.post(f"{PATH}/enrol", enrol, access=STAFF_PAGE),
        pages.post(f"{PATH}/confirm", confirm, access=STAFF_PAGE),
    ]


async def show(visit: Visit) -> Response:
    """GET /desk/otp."""
    return await otp_page(visit)


async def otp_page(visit: Visit, **values: Any) -> Response:
    """The page, perhaps with a new secret or a refusal."""
    staff = (await visit.get("/staff/me"))["staff"]
    return visit.page("desk_otp.html", staff=staff, **{"enrolled": None, "qr": "", "confirms": False, **values})


async def enrol(visit: Visit) -> Response:
    """POST /desk/otp/enrol: the secret and the recovery codes are shown once."""
    try:
        enrolled = (await visit.post("/staff/otp/enrol", content={})).content
    except Refused as refused:
        return await otp_page(visit, **visit.refusal(refused))
    drawn = segno.make(enrolled["uri"], error="m", micro=False)
    qr = drawn.svg_inline(scale=QR_SCALE, border=4, svgclass=None, lineclass=None, dark="#000", light="#fff")
    return await otp_page(visit, enrolled=enrolled, qr=qr, confirms=True)


async def confirm(visit: Visit) -> Response:
    """POST /desk/otp/confirm."""
    try:
        await visit.post("/staff/otp/confirm", content={"otp": visit.form.get("otp", "").strip()})
    except Refused as refused:
        return await otp_page(visit, confirms=True, **visit.refusal(refused))
    return visit.redirect(PATH)
