"""Protocol section 4 (2): where two refusals apply at once, the earlier one in the protocol's order is the answer.

Every pair of refusals is provoked by one command. A `Condition` is what must be true for its code: something that
happened before (`history`), how things stand now (`state`), and what the command says (`fields`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from casino_testing.tenant import OPENING_BALANCE_MINOR, STAKE_MAX_MINOR, STAKE_MIN_MINOR, Tenant
from casino_testing.wallet import Session, Wallet

LATER = datetime.now(UTC) + timedelta(days=1)
LONG_AGO = datetime.now(UTC) - timedelta(days=1)
SMALL_BALANCE_MINOR = 500
COMMAND_ID = "the command"
COMMAND_ROUND = "not the round of the command"
RELATED_ID = "the bet it names"


@dataclass
class Scene:
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


def nothing(scene: Scene) -> None:
    """For what needs no arrangement."""


@dataclass(frozen=True)
class Condition:
    code: str
    history: Callable[[Scene], object] = nothing
    state: Callable[[Scene], object] = nothing
    fields: dict[str, Any] = field(default_factory=dict)


def used_by_a_refused_bet(scene: Scene) -> None:
    scene.tenant.set_wallet(scene.player_id, blocked_at=LONG_AGO)
    code = scene.wallet.refuse(scene.session.debit(1, transaction_id=COMMAND_ID, round_id=COMMAND_ROUND))
    assert code == "wallet_blocked"
    scene.tenant.set_wallet(scene.player_id, blocked_at=None)


def buried(scene: Scene) -> None:
    outcome = scene.wallet.accept(scene.session.rollback(COMMAND_ID, round_id=COMMAND_ROUND))
    assert outcome.tombstone


def bet_in_round(scene: Scene) -> None:
    scene.wallet.bet(scene.owner, 1)


def round_paid(scene: Scene) -> None:
    bet_in_round(scene)
    scene.wallet.accept(scene.owner.credit(0))


def related_bet_rolled_back(scene: Scene) -> None:
    scene.wallet.bet(scene.owner, 1, transaction_id=RELATED_ID)
    scene.wallet.accept(scene.owner.rollback(RELATED_ID))


def related_is_a_payout(scene: Scene) -> None:
    scene.wallet.bet(scene.owner, 1)
    scene.wallet.accept(scene.owner.credit(0, transaction_id=RELATED_ID))


def related_bet_paid(scene: Scene) -> None:
    scene.wallet.bet(scene.owner, 1, transaction_id=RELATED_ID)
    scene.wallet.accept(scene.owner.credit(0))


def set_wallet(**columns: Any) -> Callable[[Scene], object]:
    return lambda scene: scene.tenant.set_wallet(scene.player_id, **columns)


def set_session(**columns: Any) -> Callable[[Scene], object]:
    return lambda scene: scene.tenant.set_session(scene.session.session_id, **columns)


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
    Condition("player_excluded", state=set_wallet(excluded_until=LATER)),
    Condition("wallet_blocked", state=set_wallet(blocked_at=LONG_AGO)),
    Condition("limit_exceeded", state=set_session(loss_limit_minor=0)),
    Condition("cooldown_active", state=set_wallet(cooldown_until=LATER)),
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
    tenant.open_player(player_id, balance_minor=SMALL_BALANCE_MINOR if short else OPENING_BALANCE_MINOR)
    scene = Scene(wallet, tenant, player_id, wallet.open_session(player_id), wallet.open_session(player_id), codes)
    for session in (scene.session, scene.other):
        tenant.set_session(session.session_id, stake_min_minor=1)
    for condition in conditions:
        condition.history(scene)
    tenant.set_session(scene.session.session_id, stake_min_minor=STAKE_MIN_MINOR)
    for condition in conditions:
        condition.state(scene)
    fields: dict[str, Any] = {"transaction_id": COMMAND_ID}
    for condition in conditions:
        fields.update(condition.fields)
    if kind == "rollback":
        related_id = fields.pop("related_id", RELATED_ID)
        return wallet.run(scene.session.rollback(related_id, **fields)).code
    build = {"debit": scene.session.debit, "credit": scene.session.credit}[kind]
    return wallet.run(build(**fields)).code


def names(pair: tuple[Condition, Condition]) -> str:
    return f"{pair[0].code}-{pair[1].code}"


@pytest.mark.parametrize("pair", [*pairs(OF_DEBITS), *beside("stake_too_low", OF_DEBITS, TOO_HIGH)], ids=names)
def test_of_two_refusals_of_a_bet_the_earlier_one_answers(
    wallet: Wallet, tenant: Tenant, pair: tuple[Condition, Condition]
) -> None:
    assert play(wallet, tenant, "debit", pair) == pair[0].code


@pytest.mark.parametrize("pair", [*pairs(OF_CREDITS), *beside("bet_rolled_back", OF_CREDITS, NO_BET)], ids=names)
def test_of_two_refusals_of_a_payout_the_earlier_one_answers(
    wallet: Wallet, tenant: Tenant, pair: tuple[Condition, Condition]
) -> None:
    assert play(wallet, tenant, "credit", pair) == pair[0].code


@pytest.mark.parametrize("pair", [*pairs(OF_ROLLBACKS), *beside("not_a_bet", OF_ROLLBACKS, PAID)], ids=names)
def test_of_two_refusals_of_a_rollback_the_earlier_one_answers(
    wallet: Wallet, tenant: Tenant, pair: tuple[Condition, Condition]
) -> None:
    assert play(wallet, tenant, "rollback", pair) == pair[0].code


@pytest.mark.parametrize("condition", [*OF_DEBITS, TOO_HIGH], ids=lambda condition: condition.code)
def test_each_refusal_of_a_bet_alone_answers_itself(wallet: Wallet, tenant: Tenant, condition: Condition) -> None:
    assert play(wallet, tenant, "debit", (condition,)) == condition.code


@pytest.mark.parametrize("condition", [*OF_CREDITS, NO_BET], ids=lambda condition: condition.code)
def test_each_refusal_of_a_payout_alone_answers_itself(wallet: Wallet, tenant: Tenant, condition: Condition) -> None:
    assert play(wallet, tenant, "credit", (condition,)) == condition.code


@pytest.mark.parametrize("condition", [*OF_ROLLBACKS, PAID], ids=lambda condition: condition.code)
def test_each_refusal_of_a_rollback_alone_answers_itself(wallet: Wallet, tenant: Tenant, condition: Condition) -> None:
    assert play(wallet, tenant, "rollback", (condition,)) == condition.code
