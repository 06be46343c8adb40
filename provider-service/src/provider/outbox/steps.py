"""Group commit of the books: steps of many rounds are recorded in one database transaction, with one durable commit.

A step is the outcome of a call, the opening of a round, the intent of the next call, or several of these. A batch has
at most one step per session.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec

from provider.outbox.calls import MoneyCall, rollback_id_of
from provider.wallet_client.outcomes import Called
from shared_service.postgres.database import Database, OutcomeUnknown, Overloaded
from shared_service.postgres.group_commit import GroupCommit, KeyBusy

BATCH_MAX: Final = 64
LANES: Final = 2
STEPS_MAX: Final = 1024
STEPS_PER_SESSION_MAX: Final = 64
STEP_SECONDS: Final = 3.0
"""How long a step may wait and be tried again. Equals the time-out of a statement."""

_RECORD: Final = """
    select o_session_id, o_part, o_outcome, o_applied
    from provider.record_steps(%s::jsonb, %s::double precision)
"""
_encoder: Final = msgspec.json.Encoder()


class Locks(msgspec.Struct, omit_defaults=True):
    """The rows that a step locks. `player_id`: of a step of a spin, which changes the player's seeds."""

    session_id: UUID
    locks_session: bool
    round_id: UUID
    transaction_ids: list[UUID]
    player_id: int | None = None


class Opening(msgspec.Struct, omit_defaults=True):
    """A round that is opened. `again`: an earlier attempt had an unknown outcome, so its row may be there.

    The members after it are of a spin's round: see `provider.spins`.
    """

    session_id: UUID
    round_id: UUID
    kind: str
    request_id: str
    again: bool = False
    spin_id: str | None = None
    debit_id: UUID | None = None
    stake_minor: int | None = None
    seed_id: UUID | None = None
    client_seed: str | None = None
    counter: int | None = None
    configuration_hash: str | None = None


class Draw(msgspec.Struct, frozen=True):
    """The outcome of a spin, whose payout is the step's intent. `events`: JSON text."""

    session_id: UUID
    round_id: UUID
    payout_id: UUID
    events: str


class Refusal(msgspec.Struct, frozen=True):
    """What the wallet said when it refused a spin's debit, whose outcome is the step's."""

    session_id: UUID
    round_id: UUID
    status: int
    code: str
    sentence: str
    player_message: str | None


@dataclass(frozen=True, slots=True)
class OfSpin:
    """What a step of a spin records besides its calls. `player_id`: whose seeds it changes."""

    player_id: int
    opening: Opening | None = None
    draw: Draw | None = None
    refusal: Refusal | None = None


class Intent(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A call that is recorded before it is sent. `after_id`: the transaction whose outcome must count. `again`: see
    `Opening`."""

    session_id: UUID
    kind: str
    transaction_id: UUID
    round_id: UUID
    reason: str
    request_id: str
    amount_minor: int
    end_round: bool
    rollback_id: UUID | None = None
    related_id: UUID | None = None
    original_id: UUID | None = None
    after_id: UUID | None = None
    again: bool = False


@dataclass(slots=True, kw_only=True)
class Step:
    """What one session's step records. `outcome` and `attempts` are rows of `provider.record_outcomes` and
    `provider.record_attempts`."""

    locks: Locks
    attempts: Sequence[dict[str, Any]] = ()
    outcome: dict[str, Any] | None = None
    opening: Opening | None = None
    intent: Intent | None = None
    draw: Draw | None = None
    refusal: Refusal | None = None

    def add_spin(self, of_spin: OfSpin) -> None:
        """Record these parts too, and lock the player."""
        self.locks.player_id = of_spin.player_id
        self.opening, self.draw, self.refusal = of_spin.opening, of_spin.draw, of_spin.refusal

    def may_be_recorded(self) -> None:
        """Note that an attempt had an unknown outcome."""
        for part in (self.opening, self.intent):
            if part is not None:
                part.again = True


@dataclass(slots=True)
class StepResult:
    """What `provider.record_steps` says about each part of a step. `state`: the state of the outcome's transaction."""

    opening: str | None = None
    state: str | None = None
    applied: bool = False
    intent: str | None = None


@dataclass(slots=True)
class StepRecorder:
    """Records steps. Those that wait at the same moment share a commit."""

    database: Database
    lease_seconds: float
    _queue: GroupCommit[Step, StepResult] = field(init=False)

    def __post_init__(self) -> None:
        self._queue = GroupCommit(
            self._execute,
            batch_max=BATCH_MAX,
            lanes=LANES,
            queue_max=STEPS_MAX,
            key_queue_max=STEPS_PER_SESSION_MAX,
        )

    async def record(self, step: Step) -> StepResult:
        """Returns after the commit is durable. The same step may be recorded again after any error.

        Raises Overloaded (nothing was done), OutcomeUnknown, or the database's error (nothing was done).
        """
        try:
            return await self._queue.submit(step, key=step.locks.session_id, deadline=time.monotonic() + STEP_SECONDS)
        except KeyBusy as error:
            raise Overloaded("session busy") from error

    async def close(self) -> None:
        """Finish the waiting steps. The database must still be open."""
        await self._queue.close()

    async def _execute(self, steps: Sequence[Step]) -> list[StepResult | None]:
        try:
            rows = await self.database.call(_RECORD, (_encode(steps), self.lease_seconds))
        except OutcomeUnknown:
            for step in steps:
                step.may_be_recorded()
            raise
        results: dict[UUID, StepResult | None] = {step.locks.session_id: StepResult() for step in steps}
        for session_id, part, outcome, applied in rows:
            result = results[session_id]
            if part == "busy" or result is None:
                results[session_id] = None
            elif part == "outcome":
                result.state, result.applied = outcome, applied
            else:
                setattr(result, part, outcome)
        return [results[step.locks.session_id] for step in steps]


def intent_row(call: MoneyCall) -> Intent:
    """The call as a row of `provider.record_intents`."""
    return Intent(
        session_id=call.provider_session_id,
        kind=call.kind,
        transaction_id=call.transaction_id,
        round_id=call.round_id,
        reason=call.reason,
        request_id=call.request_id,
        amount_minor=call.amount_minor,
        end_round=call.end_round,
        rollback_id=rollback_id_of(call.transaction_id) if call.kind == "debit" else None,
        related_id=call.related_transaction_id,
        original_id=call.original_transaction_id,
    )


def attempt_rows(call: MoneyCall, called: Called) -> list[dict[str, Any]]:
    """The attempts of a call as rows of `provider.record_attempts`."""
    now = time.monotonic()
    return [
        {
            "session_id": call.provider_session_id,
            "transaction_id": call.transaction_id,
            "ago_seconds": now - attempt.started,
            "elapsed_ms": attempt.elapsed_ms,
            "status": attempt.status,
            "code": attempt.code,
            "signature": attempt.signature,
            "failure": attempt.failure,
        }
        for attempt in called.attempts
    ]


def _encode(steps: Sequence[Step]) -> str:
    # One JSON text: the driver needs longer to encode many arrays than Postgres needs to read it.
    parts = {
        "steps": [step.locks for step in steps],
        "attempts": [made for step in steps for made in step.attempts],
        "outcomes": [step.outcome for step in steps if step.outcome is not None],
        "openings": [step.opening for step in steps if step.opening is not None],
        "intents": [step.intent for step in steps if step.intent is not None],
        "draws": [step.draw for step in steps if step.draw is not None],
        "refusals": [step.refusal for step in steps if step.refusal is not None],
    }
    return _encoder.encode({name: rows for name, rows in parts.items() if rows}).decode()
