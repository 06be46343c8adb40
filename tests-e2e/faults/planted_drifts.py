"""Drifts to plant into either side's books, with every right on the database, and the findings expected of each.

Each changes the round of a player of its own, so no drift hides another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from e2e_testing.database import Database
from e2e_testing.game_session import GameSession

Expected = list[tuple[str, str]]
"""Kind of the difference and id of the transaction."""

OURS = "provider.wallet_transactions"
THEIRS = "casino.transactions"


@dataclass(frozen=True, slots=True)
class Played:
    """One player's scripted round, as the provider's books hold it."""

    database: Database
    session: GameSession
    round_id: str
    bet: str  # settled
    taken_back: str  # a bet that was rolled back
    rollback: str  # its rollback
    credit: str
    stone: str  # the rollback of a bet that never was

    def change(self, statement: str, **values: Any) -> None:
        """Run a statement without foreign keys and triggers."""
        with self.database.connect() as connection:
            connection.execute("set session_replication_role = replica")
            known = {"user": self.session.user_id, "session": self.session.provider_session_id, "round": self.round_id}
            assert connection.execute(statement.encode(), known | values).rowcount > 0, statement

    def here(self, transaction_id: str, assignment: str, **values: Any) -> None:
        self.change(f"update {OURS} set {assignment} where transaction_id = %(id)s::uuid", id=transaction_id, **values)

    def there(self, transaction_id: str, assignment: str, **values: Any) -> None:
        self.change(f"update {THEIRS} set {assignment} where transaction_id = %(id)s", id=transaction_id, **values)

    def drop_here(self, transaction_id: str) -> None:
        self.change(f"delete from {OURS} where transaction_id = %(id)s::uuid", id=transaction_id)

    def drop_there(self, transaction_id: str) -> None:
        with self.database.connect() as connection:
            connection.execute("set session_replication_role = replica")
            for table in ("casino.postings", THEIRS):
                statement = f"delete from {table} where transaction_id = %(id)s"
                connection.execute(statement.encode(), {"id": transaction_id})
            connection.execute(
                "delete from casino.ledger_events where split_part(action_id, ':', 3) = %s", [transaction_id]
            )


def played(database: Database, session: GameSession) -> Played:
    rows = database.rows(
        "select t.* from provider.wallet_transactions as t join provider.game_sessions using (provider_session_id)"
        " where user_id = %(user)s",
        user=session.user_id,
    )
    ids = {(row["kind"], row["state"], row["tombstone"]): str(row["transaction_id"]) for row in rows}
    assert len(ids) == len(rows) == 6, "five that stand, and the rollback that the script has refused"
    return Played(
        database=database,
        session=session,
        round_id=str(rows[0]["round_id"]),
        bet=ids["debit", "settled", False],
        taken_back=ids["debit", "rolled_back", False],
        rollback=ids["rollback", "committed", False],
        credit=ids["credit", "committed", False],
        stone=ids["rollback", "committed", True],
    )


def amount_there(at: Played) -> Expected:
    at.there(at.credit, "amount_minor = amount_minor + 1")
    return [("amount", at.credit)]


def amount_here(at: Played) -> Expected:
    at.here(at.bet, "amount_minor = amount_minor - 1")
    return [("amount", at.bet)]


def currency_there(at: Played) -> Expected:
    at.there(at.credit, "currency = 'EUR'")
    return [("currency", at.credit)]


def currency_here(at: Played) -> Expected:
    at.here(at.taken_back, "currency = 'EUR'")
    return [("currency", at.taken_back)]


def rolled_back_there(at: Played) -> Expected:
    at.there(at.bet, "state = 'rolled_back'")
    return [("state", at.bet)]


def refused_here(at: Played) -> Expected:
    at.here(at.bet, "state = 'refused'")
    return [("state", at.bet)]


def standing_here(at: Played) -> Expected:
    at.here(at.taken_back, "state = 'committed'")
    return [("state", at.taken_back)]


def refused_there(at: Played) -> Expected:
    at.there(at.credit, "state = 'refused', refusal_code = 'win_cap_exceeded', sequence_no = null, entry_hash = null")
    return [("state", at.credit)]


def debit_missing_here(at: Played) -> Expected:
    at.drop_here(at.bet)
    return [("missing_here", at.bet)]


def credit_missing_here(at: Played) -> Expected:
    at.drop_here(at.credit)
    return [("missing_here", at.credit)]


def rollback_missing_here(at: Played) -> Expected:
    at.drop_here(at.rollback)
    return [("missing_here", at.rollback)]


def debit_missing_there(at: Played) -> Expected:
    at.drop_there(at.bet)
    return [("missing_there", at.bet)]


def rollback_missing_there(at: Played) -> Expected:
    at.drop_there(at.rollback)
    return [("missing_there", at.rollback)]


def forged_there(at: Played) -> Expected:
    forged = str(uuid4())
    columns = [
        row["column_name"]
        for row in at.database.rows(
            "select column_name from information_schema.columns"
            " where table_schema = 'casino' and table_name = 'transactions' order by ordinal_position"
        )
    ]
    replaced = {"transaction_id": "%(forged)s", "feed_position": "feed_position + 1", "amount_minor": "1"}
    values = ", ".join(replaced.get(name, name) for name in columns)
    statement = (
        f"insert into {THEIRS} ({', '.join(columns)}) select {values} from {THEIRS} where transaction_id = %(id)s"
    )
    at.change(statement, id=at.credit, forged=forged)
    return [("missing_here", forged)]


def bet_of_an_unknown_round(at: Played) -> Expected:
    """A third party with the provider's secret takes a stake: no round of these books has it."""
    bet = at.session.bet()
    return [("missing_here", bet.transaction_id)]


def another_round_here(at: Played) -> Expected:
    other = str(uuid4())
    at.change(
        "insert into provider.rounds (round_id, provider_session_id, kind, lease_until, state, ended_at)"
        " values (%(other)s::uuid, %(session)s::uuid, 'scripted', now(), 'settled', now())",
        other=other,
    )
    at.here(at.credit, "round_id = %(other)s::uuid", other=other)
    return [("round", at.credit)]


def another_round_there(at: Played) -> Expected:
    at.there(at.credit, "round_id = 'elsewhere'")
    return [("round", at.credit)]


def another_bet_there(at: Played) -> Expected:
    at.there(at.credit, "related_transaction_id = %(other)s", other=at.taken_back)
    return [("related", at.credit)]


def another_bet_here(at: Played) -> Expected:
    at.here(at.rollback, "original_transaction_id = %(other)s::uuid", other=at.bet)
    return [("related", at.rollback)]


def another_player_here(at: Played) -> Expected:
    at.here(
        at.credit,
        "provider_session_id = (select provider_session_id from provider.game_sessions"
        " where user_id <> %(user)s order by user_id limit 1)",
    )
    return [("player", at.credit)]


def balance_there(at: Played) -> Expected:
    at.there(at.bet, "balance_after_minor = balance_after_minor + 1")
    return [("balance", at.bet)]


def another_kind_there(at: Played) -> Expected:
    at.there(at.credit, "kind = 'rollback'")
    return [("kind", at.credit)]


def bet_of_a_known_round(at: Played) -> Expected:
    """The wallet holds a bet in a round that these books know and never paid."""
    known = str(uuid4())
    at.change(
        "insert into provider.rounds (round_id, provider_session_id, kind, lease_until, state, ended_at)"
        " values (%(known)s::uuid, %(session)s::uuid, 'scripted', now(), 'voided', now())",
        known=known,
    )
    return [("missing_here", at.session.bet(round_id=known).transaction_id)]


def credit_missing_there(at: Played) -> Expected:
    at.drop_there(at.credit)
    at.change("update casino.wallets set balance_minor = balance_minor - 2000 where player_id = %(user)s")
    return [("missing_there", at.credit)]


def stone_missing_there(at: Played) -> Expected:
    at.change("delete from casino.tombstones where rollback_transaction_id = %(id)s", id=at.stone)
    at.drop_there(at.stone)
    return [("missing_there", at.stone)]


def tail_cut_there(at: Played) -> Expected:
    """Row A6: what a standby without the last transactions makes of them."""
    lost = [at.bet, at.taken_back, at.rollback, at.credit, at.stone]
    at.change("delete from casino.tombstones where rollback_transaction_id = %(id)s", id=at.stone)
    for transaction_id in lost:
        at.drop_there(transaction_id)
    at.change("delete from casino.rounds where round_id = %(round)s")
    at.change(
        "update casino.wallets as w set balance_minor = first.balance_after_minor, sequence_no = first.sequence_no,"
        " head_hash = first.entry_hash from casino.transactions as first"
        " where w.player_id = %(user)s and first.wallet_id = w.wallet_id and first.kind = 'deposit'"
    )
    return [("missing_there", transaction_id) for transaction_id in lost]


ONLY_REPORTED: dict[str, Callable[[Played], Expected]] = {
    plant.__name__: plant
    for plant in (
        amount_there, amount_here, currency_there, currency_here, rolled_back_there, refused_here, standing_here,
        refused_there, debit_missing_here, credit_missing_here, rollback_missing_here, debit_missing_there,
        rollback_missing_there, forged_there, bet_of_an_unknown_round, another_round_here, another_round_there,
        another_bet_there, another_bet_here, another_player_here, balance_there, another_kind_there,
    )
}  # fmt: skip
HEALED: dict[str, Callable[[Played], Expected]] = {
    plant.__name__: plant for plant in (bet_of_a_known_round, credit_missing_there, stone_missing_there)
}
