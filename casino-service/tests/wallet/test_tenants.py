"""A batch mixes tenants: each command is checked through its session and its wallet. Closed by default."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec import structs

from casino.wallet.commands import BalanceRequest, token_hash
from casino_testing.tenant import OPENING_BALANCE_MINOR, Tenant
from casino_testing.wallet import Session, Wallet

WITHOUT_FOREIGN_KEYS = "set session_replication_role = replica"


def below(tenant: Tenant, name: str, *, parent: str | None = None) -> Tenant:
    """A tenant below, with a player who is named after it."""
    own = Tenant(tenant.url, tenant_id=tenant.add_tenant_below(name, parent=parent), ledger_id=tenant.ledger_id)
    own.open_player(name)
    return own


@pytest.fixture
def agent(tenant: Tenant) -> Iterator[Tenant]:
    """A tenant below the test's tenant, with the player `agent`."""
    own = below(tenant, "agent")
    yield own
    own.close()


def asked(session: Session) -> BalanceRequest:
    return BalanceRequest(
        token_hash=token_hash(session.token), player_id=session.player_id, provider_id=session.provider_id
    )


def test_one_batch_books_for_several_tenants_and_each_row_says_whose_it_is(
    wallet: Wallet, tenant: Tenant, agent: Tenant
) -> None:
    above, under = wallet.open_session("1"), wallet.open_session("agent")
    outcomes = wallet.run_batch([above.debit(), under.debit()])
    assert [outcome.code for outcome in outcomes] == [None, None]
    for table in ("transactions", "postings", "rounds", "ledger_events"):
        rows = [row for row in tenant.rows(table) if row.get("transaction_id") != "§opening-balance"]
        assert {row["tenant_id"] for row in rows} == {tenant.tenant_id, agent.tenant_id}, table
    assert {row["tenant_id"] for row in tenant.rows("game_sessions")} == {tenant.tenant_id, agent.tenant_id}


def test_a_player_is_one_of_the_ledger_whichever_tenant(tenant: Tenant, agent: Tenant) -> None:
    """The same id in another tenant finds the wallet that is there, and books nothing."""
    there = tenant.wallet("agent")["wallet_id"]
    assert tenant.open_player("agent", balance_minor=5) == there
    assert tenant.wallet("agent")["tenant_id"] == agent.tenant_id
    assert tenant.balance("agent") == OPENING_BALANCE_MINOR


def test_a_session_whose_tenant_is_not_the_wallets_is_not_found(wallet: Wallet, tenant: Tenant, agent: Tenant) -> None:
    session = wallet.open_session("1")
    bet = wallet.bet(session)
    tenant.set_session(session.session_id, tenant_id=agent.tenant_id)
    before = tenant.money_rows()
    commands = [
        session.debit(),
        session.credit(related_id=bet.transaction_id),
        session.rollback(bet.transaction_id),
        bet,
    ]
    for command in commands:
        outcome = wallet.run(command)
        assert (outcome.code, outcome.replay) == ("session_not_found", False), command.kind
    assert wallet.balances([asked(session)])[0].code == "session_not_found"
    assert tenant.money_rows() == before
    tenant.set_session(session.session_id, tenant_id=tenant.tenant_id)
    wallet.accept(session.rollback(bet.transaction_id))


def test_a_tenant_of_another_ledger_is_not_found_in_this_one(wallet: Wallet, tenant: Tenant) -> None:
    """A foreign key forbids it. Without the key the wallet refuses it."""
    other = Tenant.fresh(tenant.url)
    session = wallet.open_session()
    tenant.sql(WITHOUT_FOREIGN_KEYS)
    tenant.set_session(session.session_id, tenant_id=other.tenant_id)
    tenant.set_wallet("1", tenant_id=other.tenant_id)
    neighbour = wallet.open_session("2")
    assert [outcome.code for outcome in wallet.run_batch([session.debit(), neighbour.debit()])] == [
        "session_not_found", None,
    ]  # fmt: skip
    tenant.set_session(session.session_id, tenant_id=tenant.tenant_id)
    tenant.set_wallet("1", tenant_id=tenant.tenant_id)
    other.close()


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
def test_a_closed_tenant_takes_no_bet_and_no_launch_while_wins_and_rollbacks_land(
    wallet: Wallet, tenant: Tenant, agent: Tenant, status: str
) -> None:
    """Its neighbours in the batch, of the tenant above, play on. The refusal is remembered."""
    above, under = wallet.open_session("1"), wallet.open_session("agent")
    paid, undone = wallet.bet(under), wallet.bet(under, round_id="undone")
    agent.set_tenant(status=status)
    refused = under.debit()
    assert [outcome.code for outcome in wallet.run_batch([above.debit(), refused])] == [None, "play_stopped"]
    wallet.accept(under.credit(500, related_id=paid.transaction_id))
    wallet.accept(under.rollback(undone.transaction_id, round_id="undone"))
    assert wallet.balances([asked(under)])[0].balance_minor == OPENING_BALANCE_MINOR - 500
    with pytest.raises(AssertionError, match="play_stopped"):
        wallet.open_session("agent")
    agent.set_tenant(status="ACTIVE")
    again = wallet.run(structs.replace(refused, request_id="again"))
    assert (again.code, again.replay) == ("play_stopped", True)
    wallet.bet(wallet.open_session("agent"), round_id="later")


def test_what_stops_a_tenant_stops_everybody_below_it(wallet: Wallet, tenant: Tenant, agent: Tenant) -> None:
    shop = below(tenant, "shop", parent=agent.tenant_id)
    session = wallet.open_session("shop")
    agent.set_tenant(status="SUSPENDED")
    assert wallet.refuse(session.debit()) == "play_stopped"
    shop.set_tenant(status="SUSPENDED")
    agent.set_tenant(status="ACTIVE")
    assert wallet.refuse(session.debit(round_id="b")) == "play_stopped"
    shop.set_tenant(status="ACTIVE")
    wallet.bet(session, round_id="c")
    shop.close()


def test_a_tenant_plays_the_games_of_the_nearest_tenant_above_that_has_any(
    wallet: Wallet, tenant: Tenant, agent: Tenant
) -> None:
    shop = below(tenant, "shop", parent=agent.tenant_id)
    tenant.set_game(stake_max_minor=2_000)
    session = wallet.open_session("shop")
    assert wallet.run(session.debit(2_001)).code == "stake_too_high"
    tenant.sql(
        "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
        " values (%s, '1', 'SLOTS_001', 'Slots', 1000, 5000)",
        agent.tenant_id,
    )
    wallet.bet(wallet.open_session("shop"), 5_000)
    with pytest.raises(AssertionError, match="game_not_found"):
        wallet.open_session("shop", game_id="2")
    shop.close()
