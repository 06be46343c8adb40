"""The routes of player safety."""

from __future__ import annotations

from casino.api.frame import PLAYER, Frame
from casino.safety import loss_limit
from shared_service.http.routing import Route


def routes(frame: Frame) -> list[Route]:
    """Every route of player safety."""
    return [
        frame.post(
            "/safety/loss-limit", loss_limit.set_loss_limit, body=loss_limit.LossLimitBody,
            answer=loss_limit.LossLimit, access=PLAYER, headers=(loss_limit.SESSION_HEADER,),
            codes=("SESSION_REQUIRED", "NOT_FOUND", "LOSS_LIMIT_LOCKED"),
        ),
    ]  # fmt: skip
