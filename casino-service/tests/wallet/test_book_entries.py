"""The ledger kernel: entries of every kind, of several house accounts, of one wallet in order, and of two wallets."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import IntegrityError

from casino_testing.chain import entries, hashes_by_hand
from casino_testing.service import settings_of
from casino_testing.tenant import OPENING_BALANCE_MINOR, Row, Tenant
from casino_testing.wallet import Wallet
from local_stack.testing import PostgresServer, deadlocks_in

MOVE = "select * from casino.move_house_money(%s, %s, %s, %s, %s, 'a reason', 'a request')"
TRANSFER = "select * from casino.transfer(%s, %s, %s, %s, %s, 'a reason', 'a request')"
NEW_KIND = "insert into casino.entry_kinds (entry_kind, direction, accounts) values ('prize', 1, %s)"
BOOK = """
    select casino.book_entries(%(ledger)s, array(
        select (
            row_number() over () - 1, asked.turn, asked.wallet_id, null, asked.kind, asked.entry_id, 'main', null, null,
            null, abs(asked.delta), asked.delta, 'USD', null, asked.accounts, asked.house, false, false, null, 'x',
            null, null, null, null, null, null, null
        )::casino.entry
        from unnest(
            %(turns)s::integer[], %(wallets)s::bigint[], %(kinds)s::text[], %(ids)s::text[], %(deltas)s::bigint[]
        ) as one (turn, wallet_id, kind, entry_id, delta)
        cross join lateral (
            select one.*, string_to_array(%(accounts)s, ',') as accounts,
                string_to_array(replace(%(house)s, 'all', (- one.delta)::text), ',')::bigint[] as house
        ) as asked
    ), clock_timestamp())
"""
CONTRIBUTING = Path(__file__).parents[3] / "CONTRIBUTING.md"


def wallet_id(tenant: Tenant, player_id: str = "1") -> int:
    return int(tenant.wallet(player_id)["wallet_id"])


def move(tenant: Tenant, kind: str, entry_id: str, amount: int, player_id: str = "1") -> Row:
    return tenant.sql(MOVE, tenant.ledger_id, kind, wallet_id(tenant, player_id), entry_id, amount)[0]


def transfer(tenant: Tenant, entry_id: str, amount: int, *, back: bool = False) -> Row:
    pair = (wallet_id(tenant, "1"), wallet_id(tenant, "2"))
    return tenant.sql(TRANSFER, tenant.ledger_id, *(pair[::-1] if back else pair), entry_id, amount)[0]


def book(tenant: Tenant, *asked: tuple[int, str, str, str, int], accounts: str, house: str | None = "all") -> None:
    """Book entries of (turn, player, kind, id, delta), each against these house accounts."""
    turns, players, kinds, ids, deltas = zip(*asked, strict=True)
    values: dict[str, Any] = {"turns": list(turns), "kinds": list(kinds), "ids": list(ids), "deltas": list(deltas)}
    wallets = [wallet_id(tenant, player_id) if player_id else 0 for player_id in players]
    tenant.sql(BOOK, {**values, "wallets": wallets, "ledger": tenant.ledger_id, "accounts": accounts, "house": house})


def postings(tenant: Tenant, entry_id: str) -> dict[tuple[int, str], int]:
    return {
        (row["wallet_id"], row["account"]): row["amount_minor"]
        for row in tenant.rows("postings")
        if row["transaction_id"].removeprefix("§") == entry_id
    }


@pytest.mark.parametrize(
    ("kind", "delta_minor", "account", "event"),
    [
        ("deposit", 500, "house_cash", "DEPOSIT"),
        ("withdrawal", -500, "house_cash", "WITHDRAW"),
        ("adjustment_in", 500, "house_adjustments", None),
        ("adjustment_out", -500, "house_adjustments", None),
    ],
)
def test_an_entry_against_one_account_of_the_house(
    tenant: Tenant, kind: str, delta_minor: int, account: str, event: str | None
) -> None:
    told_before = len(tenant.rows("ledger_events"))
    booked = move(tenant, kind, "e-1", 500)
    balance = OPENING_BALANCE_MINOR + delta_minor
    assert (booked["o_code"], booked["o_replay"], booked["o_balance_minor"]) == (None, False, balance)
    assert tenant.balance() == balance
    own = wallet_id(tenant)
    assert postings(tenant, "e-1") == {(own, "wallet"): delta_minor, (own, account): -delta_minor}
    chain = entries(tenant)
    assert [row["entry_hash"] for row in chain] == hashes_by_hand(chain)
    assert booked["o_head"] == f"2:{chain[-1]['entry_hash'].hex()}"
    assert (chain[-1]["kind"], chain[-1]["reason"], chain[-1]["feed_position"]) == (kind, "a reason", None)
    told = [(row["event_type"], row["amount_minor"]) for row in tenant.rows("ledger_events")][told_before:]
    assert told == ([(event, 500)] if event else [])
    assert tenant.feed_states() == {}, "a provider's feed shows what the provider asked for"


def test_a_repeated_entry_answers_the_first_and_another_content_is_a_mismatch(tenant: Tenant) -> None:
    first = move(tenant, "deposit", "e-1", 500)
    move(tenant, "deposit", "e-2", 100)
    again = move(tenant, "deposit", "e-1", 500)
    assert (again["o_replay"], again["o_balance_minor"], again["o_head"]) == (
        True, first["o_balance_minor"], first["o_head"],
    )  # fmt: skip
    assert move(tenant, "deposit", "e-1", 501)["o_code"] == "idempotency_mismatch"
    assert move(tenant, "withdrawal", "e-1", 500)["o_code"] == "idempotency_mismatch"
    assert tenant.balance() == OPENING_BALANCE_MINOR + 600


def test_what_a_wallet_cannot_give_or_hold_is_refused_and_leaves_no_trace(tenant: Tenant) -> None:
    before = tenant.money_rows()
    assert move(tenant, "withdrawal", "e-1", OPENING_BALANCE_MINOR + 1)["o_code"] == "insufficient_balance"
    assert move(tenant, "deposit", "e-1", 2**62)["o_code"] == "balance_too_high"
    nowhere = tenant.sql(MOVE, tenant.ledger_id, "deposit", 0, "e-1", 1)[0]
    assert nowhere["o_code"] == "wallet_not_found"
    assert tenant.money_rows() == before
    assert move(tenant, "withdrawal", "e-1", OPENING_BALANCE_MINOR)["o_balance_minor"] == 0


def test_an_entry_posts_on_several_accounts_of_the_house(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    tenant.sql(NEW_KIND, ["house_cash", "house_adjustments"])
    book(tenant, (1, "1", "prize", "e-1", 500), accounts="house_cash,house_adjustments", house="-300,-200")
    own = wallet_id(tenant)
    assert postings(tenant, "e-1") == {
        (own, "wallet"): 500,
        (own, "house_cash"): -300,
        (own, "house_adjustments"): -200,
    }
    assert tenant.differences() == []
    tenant.sql("update casino.postings set account = 'house_games' where amount_minor = -200")
    assert {row["rule"] for row in tenant.differences()} == {"house_posts_the_opposite_on_its_account"}
    tenant.close()


def test_several_entries_of_a_wallet_follow_each_other_in_one_call(tenant: Tenant) -> None:
    book(
        tenant,
        (1, "1", "deposit", "first", 500), (2, "1", "deposit", "second", 70), (1, "2", "deposit", "other", 1),
        (3, "1", "deposit", "third", 3), accounts="house_cash",
    )  # fmt: skip
    chain = entries(tenant)
    assert [row["transaction_id"] for row in chain[1:]] == ["first", "second", "third"]
    assert [row["balance_after_minor"] - OPENING_BALANCE_MINOR for row in chain[1:]] == [500, 570, 573]
    assert [row["entry_hash"] for row in chain] == hashes_by_hand(chain)
    assert tenant.balance("2") == OPENING_BALANCE_MINOR + 1


@pytest.mark.parametrize(
    ("asked", "accounts", "house"),
    [
        ((1, "1", "deposit", "e", 5), "house_games", "all"),
        ((1, "1", "deposit", "e", 5), "wallet", "all"),
        ((1, "1", "deposit", "e", 5), "house_cash,house_games", "-3,-2"),
        ((1, "1", "deposit", "e", 5), "house_cash", "-4"),
        ((1, "1", "deposit", "e", 5), "house_cash", "-5,0"),
        ((1, "1", "deposit", "e", 5), "house_cash", None),
        ((1, "1", "deposit", "e", -5), "house_cash", "all"),
        ((1, "1", "withdrawal", "e", 5), "house_cash", "all"),
        ((1, "1", "withdrawal", "e", -OPENING_BALANCE_MINOR - 1), "house_cash", "all"),
        ((1, "1", "no such kind", "e", 5), "house_cash", "all"),
        ((1, "", "deposit", "e", 5), "house_cash", "all"),
        ((2, "1", "deposit", "e", 5), "house_cash", "all"),
        ((1, "1", "transfer_out", "e", -5), "in_transit", "all"),
    ],
)
def test_what_the_kind_does_not_allow_is_not_booked(
    tenant: Tenant, asked: tuple[int, str, str, str, int], accounts: str, house: str | None
) -> None:
    before = tenant.money_rows()
    with pytest.raises(IntegrityError):
        book(tenant, asked, accounts=accounts, house=house)
    assert tenant.money_rows() == before


def test_a_wallet_that_is_named_twice_in_a_turn_is_not_booked(tenant: Tenant) -> None:
    before = tenant.money_rows()
    with pytest.raises(IntegrityError):
        book(tenant, (1, "1", "deposit", "a", 5), (1, "1", "deposit", "b", 5), accounts="house_cash")
    assert tenant.money_rows() == before


def test_money_goes_from_one_wallet_to_another_in_two_entries(tenant: Tenant) -> None:
    moved = transfer(tenant, "t-1", 300)
    assert (moved["o_code"], moved["o_replay"]) == (None, False)
    told = (moved["o_from_balance_minor"], moved["o_to_balance_minor"])
    assert (
        told == (tenant.balance("1"), tenant.balance("2")) == (OPENING_BALANCE_MINOR - 300, OPENING_BALANCE_MINOR + 300)
    )
    one, two = wallet_id(tenant, "1"), wallet_id(tenant, "2")
    assert postings(tenant, "t-1") == {
        (one, "wallet"): -300, (one, "in_transit"): 300, (two, "wallet"): 300, (two, "in_transit"): -300,
    }  # fmt: skip
    again = transfer(tenant, "t-1", 300)
    assert (again["o_replay"], again["o_from_balance_minor"], again["o_to_balance_minor"]) == (True, *told)
    assert transfer(tenant, "t-1", 301)["o_code"] == "idempotency_mismatch"
    assert transfer(tenant, "t-1", 300, back=True)["o_code"] == "idempotency_mismatch"
    assert [entries(tenant, player_id)[-1]["kind"] for player_id in ("1", "2")] == ["transfer_out", "transfer_in"]


def test_a_transfer_that_cannot_be_is_refused_and_leaves_no_trace(tenant: Tenant) -> None:
    tenant.open_player("in euros", currency="EUR")
    before = tenant.money_rows()
    one = wallet_id(tenant)
    assert transfer(tenant, "t-1", OPENING_BALANCE_MINOR + 1)["o_code"] == "insufficient_balance"
    for other, code in (
        (one, "same_wallet"),
        (0, "wallet_not_found"),
        (wallet_id(tenant, "in euros"), "currency_mismatch"),
    ):
        assert tenant.sql(TRANSFER, tenant.ledger_id, one, other, "t-1", 5)[0]["o_code"] == code
    assert tenant.money_rows() == before


def test_half_a_transfer_is_found(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    assert transfer(tenant, "t-1", 300)["o_code"] is None
    assert tenant.differences() == []
    tenant.sql("set session_replication_role = replica")
    tenant.sql("delete from casino.postings where transaction_id = '§t-1' and wallet_id = %s", wallet_id(tenant, "2"))
    assert "money_in_transit_arrives" in {row["rule"] for row in tenant.differences()}
    tenant.close()


def test_transfers_in_opposite_directions_and_bets_never_wait_for_each_other_in_a_ring(
    own_database: str, postgres_server: PostgresServer
) -> None:
    """Two real connections move money in opposite directions while a third bets on both wallets."""
    tenant = Tenant.demo(own_database)
    wallet = Wallet(tenant, settings_of(tenant))
    sessions = [wallet.open_session("1"), wallet.open_session("2")]
    pair = (wallet_id(tenant, "1"), wallet_id(tenant, "2"))
    rounds = 60
    codes: list[str | None] = []

    def shift(name: str, wallets: tuple[int, int]) -> None:
        with psycopg.connect(tenant.url, autocommit=True) as connection:
            for number in range(rounds):
                row = connection.execute(TRANSFER, [tenant.ledger_id, *wallets, f"{name}-{number}", 10]).fetchone()
                codes.append(row[0] if row else "nothing")

    threads = [
        threading.Thread(target=shift, args=("there", pair)), threading.Thread(target=shift, args=("back", pair[::-1])),
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    bets = 0
    while any(thread.is_alive() for thread in threads):
        outcomes = wallet.wait(wallet.ledger.execute([session.debit() for session in sessions]))
        bets += sum(outcome is not None and outcome.code is None for outcome in outcomes)
    for thread in threads:
        thread.join()
    assert codes == [None] * (2 * rounds)
    assert tenant.balance("1") + tenant.balance("2") == 2 * OPENING_BALANCE_MINOR - 1_000 * bets
    assert tenant.differences() == []
    wallet.close()
    tenant.close()
    with psycopg.connect(postgres_server.url(), autocommit=True) as administrator:
        assert deadlocks_in(administrator, str(psycopg.conninfo.conninfo_to_dict(own_database)["dbname"])) == 0


def test_whoever_moves_house_money_waits_for_the_wallet_and_sees_what_was_booked_before(own_database: str) -> None:
    tenant = Tenant.demo(own_database)
    with psycopg.connect(tenant.url) as holder:
        holder.execute("select casino.hold_wallets(1, array[%s::bigint])", [wallet_id(tenant)])
        seen: list[Row] = []
        waiting = threading.Thread(
            target=lambda: seen.append(move(tenant, "withdrawal", "late", OPENING_BALANCE_MINOR))
        )
        waiting.start()
        with psycopg.connect(tenant.url, autocommit=True) as observer:
            while not observer.execute("select 1 from pg_locks where locktype = 'advisory' and not granted").fetchone():
                assert waiting.is_alive()
        holder.execute(MOVE, [1, "withdrawal", wallet_id(tenant_copy := Tenant.demo(tenant.url)), "early", 1])
        holder.commit()
        tenant_copy.close()
        waiting.join()
    assert [row["o_code"] for row in seen] == ["insufficient_balance"]
    assert tenant.differences() == []
    tenant.close()


def test_a_new_kind_is_a_row_and_a_caller_as_contributing_shows(own_database: str) -> None:
    """The example of CONTRIBUTING.md, word for word."""
    section = CONTRIBUTING.read_text("utf-8").split("### An entry kind\n")[1].split("\n### ")[0]
    row, caller = re.findall(r"```sql\n(.*?)```", section, re.S)
    tenant = Tenant.demo(own_database)
    tenant.sql(row)
    tenant.sql(caller)
    assert tenant.balance("1") == OPENING_BALANCE_MINOR + 250
    assert [row["event_type"] for row in tenant.rows("ledger_events")].count("BONUS_GRANTED") == 1
    assert tenant.feed_states() == {}
    assert tenant.differences() == []
    tenant.close()


def test_every_account_that_a_kind_names_is_there(shared_database: str) -> None:
    with psycopg.connect(shared_database) as connection:
        rows = connection.execute(
            "select entry_kind, name from casino.entry_kinds cross join unnest(accounts) as name"
            " where name not in (select account from casino.accounts where account <> 'wallet')"
        ).fetchall()
    assert rows == []
