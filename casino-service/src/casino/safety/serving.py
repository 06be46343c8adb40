"""The routes of players' safety."""

from __future__ import annotations

from typing import Final

from casino.api.frame import PLAYER, Frame
from casino.safety import actions, loss_limit, page_events, register, summary
from casino.safety.loss_limit import SESSION_HEADER
from shared_service.http.routing import Route

_READ: Final = "safety.read"


def routes(frame: Frame) -> list[Route]:
    """What pages call, and the register for staff."""
    return [
        frame.post(
            "/safety/loss-limit", loss_limit.set_loss_limit, body=loss_limit.LossLimitBody,
            answer=loss_limit.LossLimit, access=PLAYER, headers=(SESSION_HEADER,),
            codes=("SESSION_REQUIRED", "NOT_FOUND", "LOSS_LIMIT_LOCKED"),
        ),
        frame.post(
            "/safety/event", page_events.report_event, body=page_events.PageEvent, answer=page_events.Watched,
            access=PLAYER, headers=(SESSION_HEADER,), keeps_answers=False, codes=("SESSION_REQUIRED", "NOT_FOUND"),
        ),
        frame.get(
            "/admin/safety/summary", summary.show, query=summary.SummaryQuery, answer=summary.Summary, permission=_READ
        ),
        frame.get(
            "/admin/safety/actions", actions.page, query=actions.ActionsQuery, answer=actions.SafetyActions,
            permission=_READ,
        ),
        frame.get(
            "/admin/safety/limits", register.limits, query=register.RegisterQuery, answer=register.Limits,
            permission=_READ,
        ),
        frame.get(
            "/admin/safety/exclusions", register.exclusions, query=register.RegisterQuery,
            answer=register.Exclusions, permission=_READ,
        ),
    ]  # fmt: skip
