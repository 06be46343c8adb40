"""The pages of players and the console of the desk: their routes, their assets, and the guards of their accesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from casino.api import guards
from casino.api.frame import Frame
from casino.api.guards import guard_of
from casino.api.pepper import mac
from casino.pages import desk, desk_otp, desk_players, desk_shifts, desk_vouchers, limits, player
from casino.pages.errors import PageErrors
from casino.pages.inner import Inner
from casino.pages.sessions import PLAYER_PAGE, STAFF_PAGE, VISITOR_PAGE, Cookies, Entering
from casino.pages.visit import Pages, Site
from casino.pages.words import FILTERS
from shared_service.http.admission import Admission
from shared_service.http.authentication import Guard
from shared_service.http.routing import Route, RouteTable
from shared_service.pages.assets import Assets, folder_of
from shared_service.pages.forms import FormTokens, read_form_body
from shared_service.pages.frame import PageFrame

ACCESSES: Final = (PLAYER_PAGE, STAFF_PAGE, VISITOR_PAGE)
FOLDERS: Final = ("shared_service.pages", "casino.pages")


@dataclass(frozen=True, slots=True)
class CasinoPages:
    """The pages of one process. Without the platform there are none."""

    routes: list[Route]
    _entering: Entering | None
    _errors: PageErrors | None

    def guards(self, admission: Admission) -> dict[str, Guard]:
        """The guards of their accesses."""
        entering, errors = self._entering, self._errors
        if entering is None or errors is None:
            return {}
        entries = {PLAYER_PAGE: entering.player, STAFF_PAGE: entering.staff, VISITOR_PAGE: entering.visitor}
        return {
            access: entering.cookies.keeping(
                guard_of(enter, admission=admission, read_body=read_form_body, errors=errors)
            )
            for access, enter in entries.items()
        }


def pages_of(frame: Frame, others: Sequence[Route]) -> CasinoPages:
    """Builds the pages, which call `others`."""
    settings = frame.settings
    if not settings.pepper:
        return CasinoPages([], None, None)
    folders = [folder_of(each) for each in FOLDERS]
    assets = Assets(*folders)
    look = PageFrame(assets, *folders, filters=FILTERS)
    inner = Inner(RouteTable(others, accesses={each.access for each in others}))
    cookies = Cookies(secure=not settings.demo)
    tokens = FormTokens(mac(settings.pepper, "form tokens", ""))
    of_players = PageErrors(look, login="/login", home="/")
    of_desk = PageErrors(look, login="/desk/login", home="/desk", enrolment=desk_otp.PATH)
    own, console = (Pages(Site(look, inner, cookies, tokens, errors)) for errors in (of_players, of_desk))
    routes = [
        *player.routes(own),
        *limits.routes(own),
        *desk.routes(console),
        *desk_otp.routes(console),
        *desk_vouchers.routes(console),
        *desk_players.routes(console),
        *desk_shifts.routes(console),
        *assets.routes(of_players),
    ]
    entering = Entering(settings, cookies, guards.entries_of(settings, frame.pools.guarding), inner)
    return CasinoPages(routes, entering, of_players)
