"""Plays a player's spin: begins it in the database, asks the game's provider, and keeps what came of it.

Whatever ends this process in between, the next one that is asked for the spin finds it, and asks the provider again.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from casino.api.call import Call
from casino.api.errors import Refused
from casino.play import queries
from casino.play.answers import (
    EXCLUDED,
    IN_OWN_WORDS,
    KEPT,
    LAUNCH_REFUSED,
    LOST_SESSION,
    NOTHING_DONE,
    OVER,
    outcome_of,
    refusal,
    sentence_of,
)
from casino.play.sessions import SpinSession, SpinSessions
from casino.sessions.provider_client import ProviderUnreachable, SpinRefused
from casino.wallet.commands import token_hash

log = structlog.get_logger()

ASKS_MAX: Final = 3
"""Asks of the provider in one request: the first, one in another session, and one for a new spin there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A spin that a player asks for. `game`: the code or the id of the game."""

    spin_id: str
    stake_minor: int
    game: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A spin's outcome, and where the player's play session stands now. Money in minor units."""

    round_id: str
    stake_minor: int
    win_minor: int
    balance_minor: int
    bonus_triggered: bool
    events: str
    elapsed_seconds: int
    check_due_at: datetime | None
    """None while no play session runs."""
    net_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    state: str
    code: str | None
    sentence: str | None
    attempt: int
    wire_spin_id: str
    session: SpinSession


@dataclass(frozen=True, slots=True)
class Spins:
    """The spins of one ledger's players."""

    sessions: SpinSessions

    async def play(self, call: Call, asked: Asked) -> Played:
        """Play a spin, or find what came of it. Raises Refused."""
        has_lost_session = False
        for _ in range(ASKS_MAX):
            begun = await self._begin(call, asked)
            if begun.state == "REFUSED":
                raise refusal(begun.code or "", begun.sentence)
            if begun.state == "PLAYED":
                break
            try:
                told = await self._ask(call, asked, begun)
            except ProviderUnreachable:
                raise Refused("PROVIDER_UNREACHABLE") from None
            except SpinRefused as refused:
                # In a session that was opened a moment ago, "session lost" is what the wallet said of a bet before.
                await self._take_refusal(call, asked, begun, refused, session_is_lost=not has_lost_session)
                has_lost_session = True
                continue
            await self._end(call, asked, told)
            break
        else:
            raise Refused("BUSY")
        return await _played(call, asked)

    async def _begin(self, call: Call, asked: Asked) -> _Begun:
        session_id = uuid.uuid4()
        ((state, code, sentence, attempt, wire_spin_id, *names),) = await call.apart(
            queries.BEGIN_SPIN,
            {
                **_named(call, asked),
                "stake_minor": asked.stake_minor,
                "game": asked.game,
                "session_id": session_id,
                "token_hash": bytes.fromhex(token_hash(self.sessions.token_of(session_id))),
                "client_address": call.address,
                "live_providers": self.sessions.providers.live(),
            },
        )
        provider_id, session_id, provider_session_id, game_code, currency = names
        session = SpinSession(
            session_id=session_id, provider_id=provider_id, provider_session_id=provider_session_id,
            player_id=call.caller.id or "", game_code=game_code, currency=currency,
        )  # fmt: skip
        return _Begun(
            state=state, code=code, sentence=sentence, attempt=attempt, wire_spin_id=wire_spin_id, session=session
        )

    async def _ask(self, call: Call, asked: Asked, begun: _Begun) -> dict[str, Any]:
        """The provider's answer. Raises SpinRefused, ProviderUnreachable, Refused."""
        session, request_id = begun.session, call.request_id
        try:
            message = {
                **self.sessions.message_of(session),
                "providerSessionId": await self.sessions.join(session, request_id=request_id),
                "stake": asked.stake_minor,
                "spinId": begun.wire_spin_id,
            }
            return await self.sessions.providers.client_of(session.provider_id).spin(message, request_id=request_id)
        except Refused as refused:
            if refused.code == "provider_rejected":
                raise SpinRefused(LAUNCH_REFUSED, None) from None
            if refused.code == "overloaded":
                raise
            raise ProviderUnreachable(refused.code) from None  # it is off

    async def _take_refusal(
        self, call: Call, asked: Asked, begun: _Begun, refused: SpinRefused, *, session_is_lost: bool
    ) -> None:
        """Keep what the refusal means. Raises Refused, unless the spin may be asked for again at once."""
        sentence = sentence_of(refused.sentence) if refused.code in IN_OWN_WORDS else None
        if refused.code == "player_excluded":
            sentence = EXCLUDED
        kept = KEPT.get(refused.code)
        if kept is not None:
            await call.apart(queries.REFUSE_SPIN, {**_named(call, asked), "code": kept, "sentence": sentence})
            raise refusal(kept, sentence)
        if refused.code in OVER or refused.code in LOST_SESSION:
            ((may_repeat,),) = await call.apart(
                queries.REPEAT_SPIN,
                {
                    **_named(call, asked),
                    "session_id": begun.session.session_id,
                    "attempt": begun.attempt,
                    "session_is_lost": session_is_lost and refused.code in LOST_SESSION,
                },
            )
            if not may_repeat:
                raise Refused("BUSY")
            if refused.code in OVER:
                raise refusal(OVER[refused.code], sentence)
            if refused.code == LAUNCH_REFUSED:
                raise Refused("PROVIDER_UNREACHABLE")
            return
        if refused.code not in NOTHING_DONE:
            log.error("spin_refused_by_provider", provider_code=refused.code, game=begun.session.game_code)
        raise refusal(NOTHING_DONE.get(refused.code, "PROVIDER_UNREACHABLE"), None)

    async def _end(self, call: Call, asked: Asked, told: dict[str, Any]) -> None:
        """Keep the outcome. Raises Refused when the answer is malformed, or the ledger has no such round."""
        outcome = outcome_of(told)
        if outcome is not None:
            ((is_kept,),) = await call.apart(queries.END_SPIN, {**_named(call, asked), **outcome})
            if is_kept:
                return
        log.error("spin_outcome_not_in_ledger", is_malformed=outcome is None)
        raise Refused("PROVIDER_UNREACHABLE")


def _named(call: Call, asked: Asked) -> dict[str, Any]:
    return {"ledger_id": call.ledger_id, "player_id": call.caller.id, "spin_id": asked.spin_id}


async def _played(call: Call, asked: Asked) -> Played:
    (row,) = await call.apart(queries.PLAYED_SPIN, _named(call, asked))
    round_id, stake_minor, win_minor, balance_minor, bonus_triggered, events, elapsed_seconds, due_at, net_minor = row
    return Played(
        round_id=round_id, stake_minor=stake_minor, win_minor=win_minor, balance_minor=balance_minor,
        bonus_triggered=bonus_triggered, events=events, elapsed_seconds=elapsed_seconds, check_due_at=due_at,
        net_minor=net_minor,
    )  # fmt: skip
