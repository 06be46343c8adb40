"""The guards of the platform's routes, and the loop that forgets kept answers."""

from __future__ import annotations

from typing import Final

from casino.api.frame import Frame
from casino.api.guards import ANYONE, PLAYER, STAFF, guards_of
from casino.api.kept_answers import FORGET, FORGET_PAGE
from shared_service.http.admission import Admission
from shared_service.http.authentication import Guard
from shared_service.run.loops import BackgroundLoop

ACCESSES: Final = (STAFF, PLAYER, ANYONE)
FORGET_SECONDS: Final = 60.0


def guards(frame: Frame, admission: Admission) -> dict[str, Guard]:
    """The guards of the accesses."""
    return guards_of(frame.settings, frame.pools.guarding, admission)


def loops(frame: Frame) -> list[BackgroundLoop]:
    """The loop that forgets what kept answers no longer hold."""

    async def forget() -> bool:
        rows = await frame.pools.tenants.call(FORGET, (frame.settings.ledger_id, FORGET_PAGE))
        return int(rows[0][0]) == FORGET_PAGE

    return [BackgroundLoop("kept_answers", forget, interval_seconds=FORGET_SECONDS)]
