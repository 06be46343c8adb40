"""Records intents and outcomes of wallet calls in `provider.wallet_transactions`.

Each method is one call of one SQL function, so it is atomic, and holds a connection only for that statement.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.rows import class_row
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from provider.outbox.backoff import Backoff
from provider.outbox.calls import PROBE, DueCall, MoneyCall, rollback_id_of
from provider.wallet_client.outcomes import Accepted, Attempt, Called, Outcome, Refused, Unknown
from shared_service.postgres.database import DATABASE_AWAY, Database

ATTEMPTS_KEPT_MAX: Final = 100
"""Attempts stored per transaction, so that an outage of a week does not fill the disk."""

OUTCOME_WRITE_TRIES: Final = 4

_INTENTS: Final = {
    "debit": "select provider.record_debit(%(id)s, %(rollback_id)s, %(round)s, %(amount)s, %(reason)s, %(request)s,"
    " %(lease)s)",
    "credit": "select provider.record_credit(%(id)s, %(related)s, %(round)s, %(amount)s, %(end_round)s, %(reason)s,"
    " %(request)s, %(lease)s)",
    "rollback": "select provider.record_rollback(%(id)s, %(original)s, %(round)s, %(reason)s, %(request)s, %(lease)s)",
}
_RECORD_ATTEMPTS: Final = f"""
    insert into provider.wallet_attempts (transaction_id, sent_at, elapsed_ms, status, code, signature, failure)
    select t.transaction_id, provider.clock() - make_interval(secs => a.ago_seconds), a.elapsed_ms, a.status, a.code,
        a.signature, a.failure
    from provider.wallet_transactions as t
    cross join jsonb_to_recordset(%(made)s::jsonb) as a (
        ago_seconds double precision, elapsed_ms bigint, status bigint, code text, signature text, failure text
    )
    where t.transaction_id = %(id)s and t.attempts < {ATTEMPTS_KEPT_MAX}
"""  # noqa: S608 -- a constant, no input
_OUTCOMES: Final = {
    Accepted: "provider.record_acceptance(%(id)s, %(balance)s, %(tombstone)s, %(tries)s, %(head_sequence)s,"
    " %(head_hash)s)",
    Refused: "provider.record_refusal(%(id)s, %(code_of_all)s, %(never_known)s, %(contradicts)s, %(tries)s)",
    Unknown: "provider.record_unknown(%(id)s, %(code_of_all)s, %(pause)s, %(tries)s)",
}
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


class Books:
    """The provider's records of money calls."""

    def __init__(self, pool: Database, *, lease_seconds: float, backoff: Backoff) -> None:
        self._pool = pool
        self._lease_seconds = lease_seconds
        self._backoff = backoff

    async def write_intent(self, call: MoneyCall) -> None:
        """Record a call before it is sent, and lease it to this process. Raises `NotRecorded`."""
        values = {
            "id": call.transaction_id,
            "rollback_id": rollback_id_of(call.transaction_id),
            "round": call.round_id,
            "amount": call.amount_minor,
            "reason": call.reason,
            "request": call.request_id,
            "lease": self._lease_seconds,
            "related": call.related_transaction_id,
            "original": call.original_transaction_id,
            "end_round": call.end_round,
        }
        outcome = await self._one(_INTENTS[call.kind], values)
        if outcome != "recorded":
            raise NotRecorded(str(outcome))

    async def write_outcome(self, call: MoneyCall, called: Called) -> Recorded:
        """Record how a call ended, and its attempts.

        Retries while the database is unavailable; recording twice changes nothing. Raises one of `DATABASE_AWAY` when
        it stays unavailable: then the lease ends, and recovery repeats the call.
        """
        write = _OUTCOMES[type(called.outcome)]
        statement = f"with recorded as ({_RECORD_ATTEMPTS}) select o_state, o_applied from {write}"  # noqa: S608 - constants
        values = _attempt_values(call.transaction_id, called.attempts) | self._outcome_values(call, called.outcome)
        retrying = AsyncRetrying(
            wait=wait_exponential_jitter(multiplier=0.05, max=0.5),
            stop=stop_after_attempt(OUTCOME_WRITE_TRIES),
            retry=retry_if_exception_type(DATABASE_AWAY),
            reraise=True,
        )
        row: tuple[str, bool] = await retrying(self._row, statement, values)
        return Recorded(*row)

    async def record_attempts(self, call: MoneyCall, called: Called) -> None:
        """Record only the attempts of a repeated call, whose outcome is known already."""
        async with self._pool.connection() as connection:
            await connection.execute(_RECORD_ATTEMPTS, _attempt_values(call.transaction_id, called.attempts))

    async def open_round(self, round_id: UUID, provider_session_id: UUID, *, kind: str, request_id: str) -> str:
        """Open a round; returns `opened` or the code of the reason against it."""
        return str(
            await self._one(
                "select provider.open_round(%s, %s, %s, %s, %s)",
                (round_id, provider_session_id, kind, request_id, self._lease_seconds),
            )
        )

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

    def _outcome_values(self, call: MoneyCall, outcome: Outcome) -> dict[str, Any]:
        if isinstance(outcome, Accepted):
            return acceptance_values(outcome)
        if isinstance(outcome, Unknown):
            return {"code_of_all": outcome.code, "pause": self._backoff.pause_seconds(call.deliveries_before + 1)}
        # Refusing a debit is normal. Refusing a payout contradicts the books, and so does refusing a rollback, unless
        # the wallet never knew its session or a script expects the refusal.
        surprising = call.kind != "debit" and not (call.kind == "rollback" and outcome.action.never_known)
        return {
            "code_of_all": outcome.code,
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


def acceptance_values(accepted: Accepted) -> dict[str, Any]:
    """The acceptance as named parameters of `record_acceptance` and `record_repetition`."""
    return {
        "balance": accepted.balance_minor,
        "tombstone": accepted.tombstone,
        "head_sequence": None if accepted.head is None else accepted.head.sequence,
        "head_hash": None if accepted.head is None else accepted.head.hash,
    }


def _attempt_values(transaction_id: UUID, attempts: Sequence[Attempt]) -> dict[str, Any]:
    # One JSON text: the driver needs longer to encode six arrays than Postgres needs for the insert.
    now = time.monotonic()
    made = [
        {
            "ago_seconds": now - attempt.started,
            "elapsed_ms": attempt.elapsed_ms,
            "status": attempt.status,
            "code": attempt.code,
            "signature": attempt.signature,
            "failure": attempt.failure,
        }
        for attempt in attempts
    ]
    return {"id": transaction_id, "made": msgspec.json.encode(made).decode(), "tries": len(attempts)}
