"""Protocol section 4 (2): where two refusals apply at once, the earlier one in the protocol's order is the answer.

Each refusal is provoked alone, and every two of them by one command. A `Condition` is what must be true for its code:
something that happened before (`history`), the present `state`, and the command's `fields`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from casino_testing.limits import count
from casino_testing.tenant import OPENING_BALANCE_MINOR, STAKE_MAX_MINOR, STAKE_MIN_MINOR, Tenant
from casino_testing.wallet import Session, Wallet

LATER = datetime.now(UTC) + timedelta(days=1)
LONG_AGO = datetime.now(UTC) - timedelta(days=1)
SMALL_BALANCE_MINOR = 500
COMMAND_ID = "the command"
COMMAND_ROUND = "not the round of the command"
RELATED_ID = "the bet it names"


@dataclass
class Arrangement:
    """A player with two sessions; the command goes to `session`."""

    wallet: Wallet
    tenant: Tenant
    player_id: str
    session: Session
    other: Session
    codes: frozenset[str]

    @property
    def owner(self) -> Session:
        """The session that has the round."""
        return self.other if "round_mismatch" in self.codes else self.session


def nothing(arranged: Arrangement) -> None:
    """For what needs no arrangement."""


@dataclass(frozen=True)
class Condition:
    code: str
    history: Callable[[Arrangement], object] = nothing
    state: Callable[[Arrangement], object] = nothing
    fields: dict[str, Any] = field(default_factory=dict)


def used_by_a_refused_bet(arranged: Arrangement) -> None:
    arranged.tenant.set_wallet(arranged.player_id, blocked_at=LONG_AGO)
    code = arranged.wallet.refuse(arranged.session.debit(1, transaction_id=COMMAND_ID, round_id=COMMAND_ROUND))
    assert code == "wallet_blocked"
    arranged.tenant.set_wallet(arranged.player_id, blocked_at=None)


def buried(arranged: Arrangement) -> None:
    outcome = arranged.wallet.accept(arranged.session.rollback(COMMAND_ID, round_id=COMMAND_ROUND))
    assert outcome.tombstone


def bet_in_round(arranged: Arrangement) -> None:
    arranged.wallet.bet(arranged.owner, 1)


def round_paid(arranged: Arrangement) -> None:
    bet_in_round(arranged)
    arranged.wallet.accept(arranged.owner.credit(0))


def related_bet_rolled_back(arranged: Arrangement) -> None:
    arranged.wallet.bet(arranged.owner, 1, transaction_id=RELATED_ID)
    arranged.wallet.accept(arranged.owner.rollback(RELATED_ID))


def related_is_a_payout(arranged: Arrangement) -> None:
    arranged.wallet.bet(arranged.owner, 1)
    arranged.wallet.accept(arranged.owner.credit(0, transaction_id=RELATED_ID))


def related_bet_paid(arranged: Arrangement) -> None:
    arranged.wallet.bet(arranged.owner, 1, transaction_id=RELATED_ID)
    arranged.wallet.accept(arranged.owner.credit(0))


def set_wallet(**columns: Any) -> Callable[[Arrangement], object]:
    return lambda arranged: arranged.tenant.set_wallet(arranged.player_id, **columns)


def set_session(**columns: Any) -> Callable[[Arrangement], object]:
    return lambda arranged: arranged.tenant.set_session(arranged.session.session_id, **columns)


def no_time_left(arranged: Arrangement) -> None:
    count(arranged.tenant, arranged.player_id, day_time_max=timedelta(0))


def suspend_tenant(arranged: Arrangement) -> None:
    arranged.tenant.set_tenant(status="SUSPENDED")


NO_SESSION = Condition("session_not_found", fields={"token_hash": "00" * 32})
NO_PLAYER = Condition("session_player_mismatch", fields={"player_id": "2"})
MISMATCH = Condition("idempotency_mismatch", history=used_by_a_refused_bet)
CURRENCY = Condition("currency_mismatch", fields={"currency": "EUR"})
ROUND_MISMATCH = Condition("round_mismatch", history=bet_in_round)

OF_DEBITS = [
    NO_SESSION,
    NO_PLAYER,
    MISMATCH,
    Condition("transaction_rolled_back", history=buried),
    Condition("session_expired", state=set_session(expires_at=LONG_AGO)),
    CURRENCY,
    ROUND_MISMATCH,
    Condition("round_has_payout", history=round_paid),
    Condition("play_stopped", state=suspend_tenant),
    Condition("provider_draining", fields={"draining": True}),
    Condition("player_excluded", state=set_wallet(excluded_until=LATER)),
    Condition("wallet_blocked", state=set_wallet(blocked_at=LONG_AGO)),
    Condition("cooldown_active", state=set_wallet(cooldown_until=LATER)),
    Condition("bonus_ack_required", state=set_wallet(bonus_ack_required=True)),
    Condition("limit_exceeded", state=set_session(loss_limit_minor=0)),
    Condition("session_time_limit", state=no_time_left),
    Condition("stake_too_low", fields={"amount": STAKE_MIN_MINOR - 1}),
    Condition("insufficient_balance"),
]
TOO_HIGH = Condition("stake_too_high", fields={"amount": STAKE_MAX_MINOR + 1})
OF_CREDITS = [
    NO_SESSION,
    NO_PLAYER,
    MISMATCH,
    CURRENCY,
    ROUND_MISMATCH,
    Condition("bet_rolled_back", history=related_bet_rolled_back, fields={"related_id": RELATED_ID}),
    Condition("win_cap_exceeded", history=bet_in_round, state=set_session(win_cap_minor=1)),
]
NO_BET = Condition("no_matching_bet", fields={"related_id": "never seen"})
OF_ROLLBACKS = [
    NO_SESSION,
    NO_PLAYER,
    MISMATCH,
    ROUND_MISMATCH,
    Condition("not_a_bet", history=related_is_a_payout),
]
PAID = Condition("round_has_payout", history=related_bet_paid)


def pairs(conditions: list[Condition]) -> list[tuple[Condition, Condition]]:
    return list(itertools.combinations(conditions, 2))


def beside(code: str, conditions: list[Condition], inserted: Condition) -> list[tuple[Condition, Condition]]:
    """Pairs with a condition that stands at the place of `code`, and cannot be true together with it."""
    (place,) = [number for number, condition in enumerate(conditions) if condition.code == code]
    earlier = [(condition, inserted) for condition in conditions[:place]]
    return earlier + [(inserted, condition) for condition in conditions[place + 1 :]]


def play(wallet: Wallet, tenant: Tenant, kind: str, conditions: tuple[Condition, ...]) -> str | None:
    codes = frozenset(condition.code for condition in conditions)
    player_id = "player of " + " and ".join(condition.code for condition in conditions)
    short = "insufficient_balance" in codes
    tenant.set_tenant(status="ACTIVE")
    tenant.open_player(player_id, balance_minor=SMALL_BALANCE_MINOR if short else OPENING_BALANCE_MINOR)
    arranged = Arrangement(
        wallet, tenant, player_id, wallet.open_session(player_id), wallet.open_session(player_id), codes
    )
    for session in (arranged.session, arranged.other):
        tenant.set_session(session.session_id, stake_min_minor=1)
    for condition in conditions:
        condition.history(arranged)
    tenant.set_session(arranged.session.session_id, stake_min_minor=STAKE_MIN_MINOR)
    for condition in conditions:
        condition.state(arranged)
    fields: dict[str, Any] = {"transaction_id": COMMAND_ID}
    for condition in conditions:
        fields.update(condition.fields)
    if kind == "rollback":
        related_id = fields.pop("related_id", RELATED_ID)
        return wallet.run(arranged.session.rollback(related_id, **fields)).code
    build = {"debit": arranged.session.debit, "credit": arranged.session.credit}[kind]
    return wallet.run(build(**fields)).code


def play_all(
    wallet: Wallet, tenant: Tenant, kind: str, alone: list[Condition], two: list[tuple[Condition, Condition]]
) -> None:
    """The first condition's code must be the answer. Each command is of a player of its own."""
    wrong = {}
    for conditions in (*((condition,) for condition in alone), *two):
        found = play(wallet, tenant, kind, conditions)
        if found != conditions[0].code:
            wrong[tuple(condition.code for condition in conditions)] = found
    assert wrong == {}


def test_of_two_refusals_of_a_bet_the_earlier_one_answers(wallet: Wallet, tenant: Tenant) -> None:
    two = [*pairs(OF_DEBITS), *beside("stake_too_low", OF_DEBITS, TOO_HIGH)]
    play_all(wallet, tenant, "debit", [*OF_DEBITS, TOO_HIGH], two)


def test_of_two_refusals_of_a_payout_the_earlier_one_answers(wallet: Wallet, tenant: Tenant) -> None:
    play_all(
        wallet,
        tenant,
        "credit",
        [*OF_CREDITS, NO_BET],
        [*pairs(OF_CREDITS), *beside("bet_rolled_back", OF_CREDITS, NO_BET)],
    )


def test_of_two_refusals_of_a_rollback_the_earlier_one_answers(wallet: Wallet, tenant: Tenant) -> None:
    play_all(
        wallet,
        tenant,
        "rollback",
        [*OF_ROLLBACKS, PAID],
        [*pairs(OF_ROLLBACKS), *beside("not_a_bet", OF_ROLLBACKS, PAID)],
    )
