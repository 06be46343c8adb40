"""Protocol sections 3, 4 (2) and 6: expired sessions, exclusion, blocks, limits, and the order of refusals."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from e2e_testing.answers import Answer
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.stack import Stack
from provider.reconciliation.compare import REMEMBERED

EXPIRE = """
    update casino.game_sessions set expires_at = now() - interval '1 minute'
    where player_id = %(player)s and closed_at is null
"""
WALLET_OF_PLAYER = "update casino.wallets set {} where player_id = %(player)s"
COLUMNS = {
    "player_excluded": ("excluded_until", "now() + interval '1 day'"),
    "wallet_blocked": ("blocked_at", "now()"),
    "cooldown_active": ("cooldown_until", "now() + interval '1 hour'"),
    "bonus_ack_required": ("bonus_ack_required", "true"),
}
"""The wallet's column of a gate, and a value with which it refuses."""
GATES = {
    **{code: WALLET_OF_PLAYER.format(f"{column} = {value}") for code, (column, value) in COLUMNS.items()},
    "session_time_limit": """
        with counted as (update casino.wallets set has_limits = true where player_id = %(player)s returning *)
        insert into casino.limit_counters
        select
            ledger_id, wallet_id, tenant_id, null, null, null, interval '0', null, null, now(), 'infinity', now(),
            'infinity', now(), 'infinity', 0, 0, 0, interval '0', interval '0', interval '0', null, null, 0
        from counted
    """,
    "limit_exceeded": "update casino.game_sessions set loss_limit_minor = 500 where player_id = %(player)s",
}
STORED_AS = "select state from casino.transactions where transaction_id = %(id)s"


@contextmanager
def disabled_game(database: Database, game_id: str) -> Iterator[None]:
    statement = "update casino.games set disabled_at = case when %(off)s then now() end where game_id = %(game)s"
    database.change(statement, off=True, game=game_id)
    try:
        yield
    finally:
        database.change(statement, off=False, game=game_id)


@pytest.mark.parametrize("code", [pytest.param(code, marks=pytest.mark.provokes(code)) for code in GATES])
def test_a_gate_refuses_a_new_bet_and_lets_wins_and_rollbacks_through(
    session: GameSession, database: Database, code: str
) -> None:
    start, bet, undone = session.balance(), session.bet(), session.bet()
    database.change(GATES[code], player=session.user_id)
    assert session.debit(transaction_id=(refused := new_id())).verdict == (403, code)
    assert (database.row(STORED_AS, id=refused)["state"], code in REMEMBERED) == ("refused", True)
    assert session.balance() == start - 2000
    session.rollback(undone.transaction_id, round_id=undone.round_id).must_be_ok()
    session.credit(4000, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    assert session.balance() == start + 3000, "a round is never stranded"


def test_an_expired_session_takes_no_new_bet(session: GameSession, database: Database) -> None:
    before = session.balance()
    database.change(EXPIRE, player=session.user_id)
    assert session.debit().verdict == (404, "session_expired")
    assert session.get_balance().verdict == (404, "session_expired")
    assert int(database.row("select balance_minor from casino.wallets where player_id = %(player)s",
                            player=session.user_id)["balance_minor"]) == before  # fmt: skip


def test_an_expired_session_takes_the_credit_and_the_rollback_of_its_bets(
    session: GameSession, database: Database
) -> None:
    """Row C3. Row B6."""
    start, bet, undone = session.balance(), session.bet(), session.bet()
    database.change(EXPIRE, player=session.user_id)
    assert session.rollback(undone.transaction_id, round_id=undone.round_id).must_be_ok().balance == start - 1000
    assert session.credit(2500, round_id=bet.round_id, related=bet.transaction_id).must_be_ok().balance == start + 1500


def test_an_expired_session_takes_a_tombstone(session: GameSession, database: Database) -> None:
    """A rollback of a bet whose fate nobody knows must land, however late."""
    database.change(EXPIRE, player=session.user_id)
    late, round_id = new_id(), new_id()
    assert session.rollback(late, round_id=round_id).must_be_ok().content["tombstone"] is True
    assert session.debit(transaction_id=late, round_id=round_id).verdict == (400, "transaction_rolled_back")


@pytest.mark.parametrize("kind", ["getBalance", "debit", "credit"])
def test_every_accepted_call_extends_the_session(session: GameSession, database: Database, kind: str) -> None:
    """Row C3."""
    bet = session.bet()
    database.change(
        "update casino.game_sessions set expires_at = now() + interval '1 minute' where player_id = %(player)s",
        player=session.user_id,
    )
    calls: dict[str, Callable[[], Answer]] = {
        "getBalance": session.get_balance,
        "debit": session.debit,
        "credit": lambda: session.credit(0, round_id=bet.round_id, related=bet.transaction_id),
    }
    calls[kind]().must_be_ok()
    left = database.row(
        "select extract(epoch from expires_at - now()) as seconds from casino.game_sessions"
        " where player_id = %(player)s",
        player=session.user_id,
    )
    assert 1740 < left["seconds"] <= 1800, "30 minutes from now"


def test_a_refused_call_does_not_extend_the_session(session: GameSession, database: Database) -> None:
    database.change(
        "update casino.game_sessions set expires_at = now() + interval '1 minute' where player_id = %(player)s",
        player=session.user_id,
    )
    assert session.debit(1).verdict == (400, "stake_too_low")
    left = database.row(
        "select extract(epoch from expires_at - now()) as seconds from casino.game_sessions"
        " where player_id = %(player)s",
        player=session.user_id,
    )
    assert left["seconds"] <= 60


@contextmanager
def suspended_tenant(database: Database) -> Iterator[None]:
    statement = "update casino.tenants set status = %(status)s where tenant_id = 'JAQPOT'"
    database.change(statement, status="SUSPENDED")
    try:
        yield
    finally:
        database.change(statement, status="ACTIVE")


@pytest.mark.provokes("play_stopped")
def test_a_suspended_tenant_takes_no_bet_and_no_launch_while_wins_and_rollbacks_land(
    stack: Stack, session: GameSession, database: Database
) -> None:
    start, bet, undone = session.balance(), session.bet(), session.bet()
    with suspended_tenant(database):
        assert stack.launch(session.user_id).verdict == (423, "play_stopped")
        refused = {"transaction_id": new_id(), "round_id": new_id()}
        assert session.debit(**refused).verdict == (423, "play_stopped")
        session.rollback(undone.transaction_id, round_id=undone.round_id).must_be_ok()
        session.credit(4000, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
        assert session.balance() == start + 3000, "a round is never stranded"
    assert session.debit(**refused).verdict == (423, "play_stopped"), "it is remembered"
    session.debit().must_be_ok()


@pytest.mark.provokes("game_disabled")
def test_a_disabled_game_is_not_launched(stack: Stack, database: Database) -> None:
    player = stack.open_player()
    with disabled_game(database, "2"):
        assert stack.launch(player, game_id="2").verdict == (423, "game_disabled")
    assert stack.launch(player, game_id="2").status == 201


def test_the_loss_limit_counts_what_was_won(session: GameSession, database: Database) -> None:
    database.change(
        "update casino.game_sessions set loss_limit_minor = 3000 where player_id = %(player)s", player=session.user_id
    )
    first = session.bet(2000)
    assert session.debit(2000).verdict == (403, "limit_exceeded")
    session.credit(1500, round_id=first.round_id, related=first.transaction_id).must_be_ok()
    assert session.debit(2000).status == 200


def test_refusals_come_in_the_order_of_the_contract(stack: Stack, session: GameSession, database: Database) -> None:
    """One bet with every fault at once; each fault is mended in turn and the next one is named."""
    other = stack.session(session.user_id)
    foreign, tombstoned = other.bet(), new_id()
    own, paid_round = session.bet(), session.bet()
    session.rollback(tombstoned, round_id=own.round_id).must_be_ok()
    session.credit(0, round_id=paid_round.round_id, related=paid_round.transaction_id).must_be_ok()
    for statement in GATES.values():
        database.change(statement, player=session.user_id)
    database.change(EXPIRE, player=session.user_id)

    def refusal(**changes: object) -> str | None:
        worst = session.debit_content(1, transaction_id=new_id(), round_id=foreign.round_id, currency="EUR")
        return session.post("debit", worst | changes).code

    worst = {"sessionToken": "0" * 64, "userId": "nobody", "transactionId": own.transaction_id}
    assert refusal(**worst) == "session_not_found"
    assert refusal(userId="nobody", transactionId=own.transaction_id) == "session_player_mismatch"
    assert refusal(transactionId=own.transaction_id) == "idempotency_mismatch"
    assert refusal(transactionId=tombstoned) == "transaction_rolled_back"
    assert refusal() == "session_expired"
    database.change(
        "update casino.game_sessions set expires_at = now() + interval '5 minutes' where player_id = %(player)s",
        player=session.user_id,
    )
    assert refusal() == "currency_mismatch"
    assert refusal(currency="USD") == "round_mismatch"
    good_round = {"currency": "USD", "roundId": paid_round.round_id}
    assert refusal(**good_round) == "round_has_payout"
    good_round["roundId"] = own.round_id
    assert str(refusal(**good_round)) in GATES
    open_all = ", ".join(f"{column} = default" for column, _ in COLUMNS.values())
    database.change(WALLET_OF_PLAYER.format(open_all), player=session.user_id)
    assert refusal(**good_round) == "limit_exceeded"
    database.change("update casino.game_sessions set loss_limit_minor = null where player_id = %(player)s",
                    player=session.user_id)  # fmt: skip
    assert refusal(**good_round) == "session_time_limit"
    database.change("update casino.wallets set has_limits = false where player_id = %(player)s", player=session.user_id)
    assert refusal(**good_round) == "stake_too_low"


def test_the_stake_is_judged_before_the_funds(stack: Stack, database: Database) -> None:
    poor = stack.session(balance_minor=500)
    assert poor.debit(100_001).verdict == (400, "stake_too_high")
    assert poor.debit(1).verdict == (400, "stake_too_low")
    assert poor.debit(1000).verdict == (402, "insufficient_balance")
