"""The routes of players and of the staff that looks after them, and the loop that ends play sessions."""

from __future__ import annotations

from typing import Final

from casino.api.frame import ANYONE, FINDS_PLAYER, PLAYER, Frame
from casino.api.types import Answer, Page
from casino.players import accounts, care, export, games, own, payments, records, shapes, shifts, wishes
from casino.players.play_sessions import PlaySessions
from shared_service.http.routing import Route, Share
from shared_service.run.loops import BackgroundLoop

END_SECONDS: Final = 30.0
EXPORTS_AT_ONCE_MAX: Final = 2
"""In one process, of all players: each holds a connection for as long as it reads."""
_PLAYER: Final = "/admin/players/{player_id}"
_NOT_ACTIVE: Final = "PLAYER_NOT_ACTIVE_409"
_TRANSFER: Final = ("CURRENCY_MISMATCH", "BALANCE_TOO_HIGH")


def routes(frame: Frame) -> list[Route]:
    """The routes of players, and those of staff."""
    return [*_own_routes(frame), *_account_routes(frame), *_payment_routes(frame), *_shift_routes(frame)]


def loops(frame: Frame) -> list[BackgroundLoop]:
    """The loop that ends play sessions."""
    sessions = PlaySessions(frame.pools.tenants, frame.settings.ledger_id)
    return [BackgroundLoop("play_sessions", sessions.end_some, interval_seconds=END_SECONDS)]


def _own_routes(frame: Frame) -> list[Route]:
    return [
        frame.post(
            "/player/login", own.log_in, body=own.LoginBody, answer=own.LoggedIn, access=ANYONE, in_transaction=False,
            codes=("INVALID_PLAYER_CREDENTIALS", "LOCKED"),
        ),
        frame.get("/player/me", own.me, answer=own.Me, access=PLAYER),
        frame.get("/player/games", games.games, answer=games.Games, access=PLAYER),
        frame.post("/player/logout", own.log_out, answer=Answer, access=PLAYER, keeps_answers=False),
        frame.post("/player/bonus/ack", own.acknowledge_bonus, answer=Answer, access=PLAYER),
        frame.post("/player/reality-check/ack", own.acknowledge_reality_check, answer=Answer, access=PLAYER),
        frame.post(
            "/player/limits", wishes.set_own_limit, body=wishes.LimitBody, answer=shapes.OneLimit, access=PLAYER,
            status=201, codes=(_NOT_ACTIVE,),
        ),
        frame.post(
            "/player/limits/{limit_id}/confirm", wishes.confirm_limit, answer=shapes.OneLimit, access=PLAYER,
            codes=("LIMIT_NOT_DUE", _NOT_ACTIVE),
        ),
        frame.post(
            "/player/exclude", wishes.exclude_oneself, body=wishes.ExcludeBody, answer=shapes.Excluded, access=PLAYER,
            status=201, other_statuses=(200,),
        ),
        frame.get("/player/history", records.history, query=Page, answer=records.History, access=PLAYER),
        frame.get(
            "/player/export", export.export, answer=export.Export, access=PLAYER, share=Share(EXPORTS_AT_ONCE_MAX)
        ),
    ]  # fmt: skip


def _account_routes(frame: Frame) -> list[Route]:
    care_codes = {
        "freeze": (care.freeze, (_NOT_ACTIVE,)),
        "unfreeze": (care.unfreeze, (_NOT_ACTIVE,)),
        "close": (care.close, ()),
    }
    return [
        frame.get("/admin/players", accounts.page, query=Page, answer=shapes.Players, permission="players.read"),
        frame.get(
            _PLAYER, accounts.one, answer=shapes.OnePlayer, permission="players.read", finds=FINDS_PLAYER
        ),
        *(
            frame.post(
                f"{_PLAYER}/{word}", handler, body=care.ReasonBody, answer=shapes.OnePlayer, permission="players.care",
                finds=FINDS_PLAYER, codes=codes,
            )
            for word, (handler, codes) in care_codes.items()
        ),
        frame.post(
            f"{_PLAYER}/exclude", wishes.exclude, body=wishes.ExcludeByStaffBody, answer=shapes.Excluded,
            permission="players.care", finds=FINDS_PLAYER, status=201, other_statuses=(200,),
        ),
        frame.post(
            f"{_PLAYER}/limits", wishes.lower_limit, body=wishes.LimitByStaffBody, answer=shapes.OneLimit,
            permission="players.care", finds=FINDS_PLAYER, status=201,
            codes=("LIMIT_MAY_ONLY_BE_LOWERED", _NOT_ACTIVE),
        ),
        frame.post(
            f"{_PLAYER}/erase", care.erase, body=care.ReasonBody, answer=shapes.OnePlayer,
            permission="players.adjust", finds=FINDS_PLAYER, codes=("PLAYER_NOT_EMPTY",),
        ),
        frame.post(
            f"{_PLAYER}/bonus/forfeit", care.forfeit_bonus, body=care.ReasonBody, answer=care.Forfeited,
            permission="players.adjust", finds=FINDS_PLAYER, codes=("BONUS_NOT_PENDING",),
        ),
    ]  # fmt: skip


def _payment_routes(frame: Frame) -> list[Route]:
    decided = ("SELF_APPROVAL", "ALREADY_DECIDED")
    return [
        frame.post(
            f"{_PLAYER}/deposit", payments.deposit, body=payments.AmountBody, answer=payments.Paid,
            permission="players.money", finds=FINDS_PLAYER,
            codes=(
                *("TENANT_NOT_ACTIVE", "INSUFFICIENT_AGENT_FUNDS", "DEPOSIT_LIMIT_REACHED", _NOT_ACTIVE), *_TRANSFER,
            ),
        ),
        frame.post(
            f"{_PLAYER}/withdraw", payments.withdraw, body=payments.AmountBody, answer=payments.Paid,
            permission="players.money", finds=FINDS_PLAYER, other_statuses=(202,),
            codes=("INSUFFICIENT_FUNDS", *_TRANSFER),
        ),
        frame.post(
            f"{_PLAYER}/cashout", payments.cash_out, body=payments.CashOutBody, answer=payments.CashedOut,
            permission="players.money", finds=FINDS_PLAYER, other_statuses=(202,),
            codes=("OPEN_BETS", _NOT_ACTIVE, *_TRANSFER),
        ),
        frame.post(
            f"{_PLAYER}/adjust", payments.adjust, body=payments.AdjustBody, answer=payments.Paid,
            permission="players.adjust", finds=FINDS_PLAYER, other_statuses=(202,),
            codes=("INSUFFICIENT_FUNDS", "BALANCE_TOO_HIGH"),
        ),
        frame.get(
            "/admin/approvals", payments.approvals, query=payments.ApprovalsQuery, answer=shapes.Approvals,
            permission="approvals.decide",
        ),
        frame.post(
            "/admin/approvals/{approval_id}/approve", payments.approve, answer=shapes.OneApproval,
            permission="approvals.decide", finds=payments.FINDS_APPROVAL,
            codes=(*decided, "INSUFFICIENT_FUNDS", "OPEN_BETS", _NOT_ACTIVE, *_TRANSFER),
        ),
        frame.post(
            "/admin/approvals/{approval_id}/reject", payments.reject, answer=shapes.OneApproval,
            permission="approvals.decide", finds=payments.FINDS_APPROVAL, codes=decided,
        ),
    ]  # fmt: skip


def _shift_routes(frame: Frame) -> list[Route]:
    return [
        frame.post(
            "/admin/shifts/open", shifts.open_shift, body=shifts.OpenBody, answer=shifts.OneShift,
            permission="shifts.own", status=201, codes=("SHIFT_OPEN",),
        ),
        frame.post(
            "/admin/shifts/close", shifts.close_shift, body=shifts.CloseBody, answer=shifts.OneShift,
            permission="shifts.own", codes=("SHIFT_NOT_OPEN",),
        ),
        frame.get("/admin/shifts", shifts.page, query=Page, answer=shifts.Shifts, permission="shifts.own"),
    ]  # fmt: skip
