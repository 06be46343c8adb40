"""Records intents and outcomes of wallet calls in `provider.wallet_transactions`.

Each method is one call of one SQL function, so it is atomic. Intents and outcomes of many rounds share a commit.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from provider.outbox.backoff import Backoff
from provider.outbox.calls import PROBE, DueCall, MoneyCall
from provider.outbox.steps import Locks, OfSpin, Opening, Step, StepRecorder, StepResult, attempt_rows, intent_row
from provider.wallet_client.outcomes import Accepted, Called, Unknown
from shared_service.postgres.database import DATABASE_DOWN, Database

ATTEMPTS_KEPT_MAX: Final = 100
"""Attempts stored per transaction: see `provider.record_attempts`."""

OUTCOME_WRITE_TRIES: Final = 4

_CLAIM: Final = """
    select o_transaction_id as transaction_id, o_kind as kind, o_reason as reason, o_round_id as round_id,
        o_amount_minor as amount_minor, o_currency as currency, o_related_transaction_id as related_transaction_id,
        o_original_transaction_id as original_transaction_id, o_end_round as end_round, o_request_id as request_id,
        o_deliveries as deliveries, o_provider_session_id as provider_session_id, o_casino_code as casino_code,
        o_user_id as user_id, o_token_sealed as token_sealed
    from provider.claim_due_of(%s::text[], %s::integer[], %s)
"""
_PENDING: Final = """
    select count(*)
    from provider.wallet_transactions as t
    join provider.game_sessions as s on s.provider_session_id = t.provider_session_id
    where t.state = 'pending' and s.casino_code = any(%s)
"""


class NotRecorded(Exception):  # noqa: N818 - an outcome, named as the others are
    """The books refuse an intent, so nothing was sent. `code` is the SQL function's outcome, such as `session_busy`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Recorded:
    """The row's state after an outcome was recorded. `applied` is false when the row had ended before."""

    state: str
    applied: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """A call and how it ended."""

    call: MoneyCall
    called: Called


class Books:
    """The provider's records of money calls."""

    def __init__(self, pool: Database, *, lease_seconds: float, backoff: Backoff) -> None:
        self._pool = pool
        self._steps = StepRecorder(pool, lease_seconds)
        self._lease_seconds = lease_seconds
        self._backoff = backoff

    async def record(
        self,
        answered: Answered | None = None,
        *,
        intent: MoneyCall | None = None,
        repeated: Sequence[Answered] = (),
        of_spin: OfSpin | None = None,
    ) -> StepResult:
        """Record how a call ended, and the next call of the same session, in one commit.

        `repeated`: calls whose outcome is known already; only their attempts are recorded. `of_spin`: parts of a spin.

        An outcome is retried while the database is unavailable; recording it twice changes nothing. An intent whose
        `answered` does not count is refused with `given_up`. Raises one of `DATABASE_DOWN` when the database stays
        unavailable: then the leases end, and recovery finishes the calls.
        """
        step = self._step_of(answered, intent, repeated)
        if of_spin is not None:
            step.add_spin(of_spin)
        try:
            return await self._steps.record(step)
        except DATABASE_DOWN:
            if answered is None:
                raise
        retrying = AsyncRetrying(
            wait=wait_exponential_jitter(multiplier=0.05, max=0.5),
            stop=stop_after_attempt(OUTCOME_WRITE_TRIES - 1),
            retry=retry_if_exception_type(DATABASE_DOWN),
            reraise=True,
        )
        result: StepResult = await retrying(self._steps.record, step)
        return result

    async def write_intent(self, call: MoneyCall) -> None:
        """Record a call before it is sent, and lease it to this process. Raises `NotRecorded`."""
        outcome = (await self.record(intent=call)).intent
        if outcome != "recorded":
            raise NotRecorded(str(outcome))

    async def write_outcome(self, call: MoneyCall, called: Called) -> Recorded:
        """Record how a call ended, and its attempts: see `record`."""
        return recorded_of(await self.record(Answered(call, called)))

    async def record_attempts(self, call: MoneyCall, called: Called) -> None:
        """Record only the attempts of a repeated call, whose outcome is known already."""
        await self.record(repeated=[Answered(call, called)])

    async def open_round(self, round_id: UUID, provider_session_id: UUID, *, kind: str, request_id: str) -> str:
        """Open a round; returns `opened` or the code of the reason against it."""
        locks = Locks(provider_session_id, True, round_id, [])
        opening = Opening(provider_session_id, round_id, kind, request_id)
        return str((await self._steps.record(Step(locks=locks, opening=opening))).opening)

    async def close(self) -> None:
        """Finish the waiting steps."""
        await self._steps.close()

    async def void_round(self, round_id: UUID, code: str) -> str:
        """End a round without a payout; rollbacks of its bets are due at once. Returns the SQL function's outcome."""
        return str(await self._one("select provider.void_round(%s, %s)", (round_id, code)))

    async def give_up_expired_bets(self, limit: int) -> int:
        """Give up bets whose lease ended without an outcome; returns how many."""
        return int(await self._one("select provider.give_up_expired_bets(%s)", (limit,)))

    async def end_abandoned_rounds(self, limit: int) -> int:
        """End open rounds whose lease ended; returns how many were examined."""
        return int(await self._one("select provider.end_abandoned_rounds(%s, %s)", (limit, self._lease_seconds)))

    async def claim_due(self, limits: Mapping[str, int]) -> list[DueCall]:
        """Lease payouts and rollbacks that are due, and return them. `limits`: the most for each casino's code."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=class_row(DueCall)) as cursor:
            return await (
                await cursor.execute(_CLAIM, (list(limits), list(limits.values()), self._lease_seconds))
            ).fetchall()

    async def count_pending(self, casino_codes: Collection[str]) -> int:
        """The number of these casinos' transactions without a known outcome."""
        return int(await self._one(_PENDING, (list(casino_codes),)))

    def _step_of(self, answered: Answered | None, intent: MoneyCall | None, repeated: Sequence[Answered]) -> Step:
        ended = [*repeated, *([answered] if answered else ())]
        calls = [*(each.call for each in ended), *([intent] if intent else ())]
        locked = [call.original_transaction_id for call in calls if call.original_transaction_id is not None]
        if answered is not None:
            locked.append(answered.call.transaction_id)
        is_bet = intent is not None and intent.kind == "debit"
        step = Step(locks=Locks(calls[-1].provider_session_id, is_bet, calls[-1].round_id, locked))
        step.attempts = [row for each in ended for row in attempt_rows(each.call, each.called)]
        if answered is not None:
            step.outcome = self._outcome_row(answered.call, answered.called)
        if intent is not None:
            step.intent = intent_row(intent)
            if step.outcome is not None:
                step.intent.after_id = step.outcome["transaction_id"]
        return step

    def _outcome_row(self, call: MoneyCall, called: Called) -> dict[str, Any]:
        outcome = called.outcome
        row = {
            "session_id": call.provider_session_id,
            "transaction_id": call.transaction_id,
            "tries": len(called.attempts),
        }
        if isinstance(outcome, Accepted):
            return row | {"verdict": "accepted", "code": "ok"} | acceptance_values(outcome)
        if isinstance(outcome, Unknown):
            pause_seconds = self._backoff.pause_seconds(call.deliveries_before + 1)
            return row | {"verdict": "unknown", "code": outcome.code, "pause_seconds": pause_seconds}
        # Refusing a debit is normal. Refusing a payout contradicts the books, and so does refusing a rollback, unless
        # the wallet never knew its session or a script expects the refusal.
        surprising = call.kind != "debit" and not (call.kind == "rollback" and outcome.action.never_known)
        return row | {
            "verdict": "refused",
            "code": outcome.code,
            "never_known": outcome.action.never_known,
            "contradicts": (outcome.action.alarms or surprising) and call.reason != PROBE,
        }

    async def _one(self, statement: str, values: Any) -> Any:
        return (await self._row(statement, values))[0]

    async def _row(self, statement: str, values: Any) -> tuple[Any, ...]:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(statement, values)).fetchone()
        if row is None:
            raise RuntimeError("the function returned no row")
        return tuple(row)


def recorded_of(result: StepResult) -> Recorded:
    """How the outcome of a step was recorded."""
    if result.state is None:
        raise RuntimeError("an outcome of a transaction that is not in the books")
    return Recorded(result.state, result.applied)


def acceptance_values(accepted: Accepted) -> dict[str, Any]:
    """The acceptance as named values of `record_outcomes` and `record_repetition`."""
    return {
        "balance_minor": accepted.balance_minor,
        "tombstone": accepted.tombstone,
        "head_sequence": None if accepted.head is None else accepted.head.sequence,
        "head_hash": None if accepted.head is None else accepted.head.hash,
    }
