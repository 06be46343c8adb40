"""Players of several tenants of a ledger, end to end. One provider sees them all; one tenant is stopped."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from e2e_testing.database import Database
from e2e_testing.stack import CURRENCY, TENANT, Stack

AGENT = "JAQPOT-AGENT"
MAKE_AGENT = """
    insert into casino.tenants (tenant_id, display_name, ledger_id, parent_id, tenant_type)
    values (%(agent)s, 'An agent', 1, %(parent)s, 'AGENT') on conflict do nothing
"""
OPEN_PLAYER = "select casino.open_player(%(tenant)s, %(player)s, 'Test player', %(currency)s, 1000000)"
SET_STATUS = "update casino.tenants set status = %(status)s where tenant_id = %(agent)s"


@pytest.fixture
def agents_player(database: Database) -> Iterator[str]:
    """The id of a player whose tenant lies below the casino's."""
    database.rows(MAKE_AGENT, agent=AGENT, parent=TENANT)
    player_id = f"player-{uuid4().hex[:12]}"
    database.rows(OPEN_PLAYER, tenant=AGENT, player=player_id, currency=CURRENCY)
    yield player_id
    database.change(SET_STATUS, status="ACTIVE", agent=AGENT)


def test_a_player_of_a_tenant_below_plays_and_the_provider_sees_it(stack: Stack, agents_player: str) -> None:
    """The tenant is the player's; the games are those of the tenant above."""
    session = stack.session(agents_player)
    bet = session.bet()
    session.credit(2500, round_id=bet.round_id, related=bet.transaction_id).must_be_ok()
    found = stack.wallet.get(f"/casino/transactions/{bet.transaction_id}?userId={agents_player}")
    assert (found.status, found.content["state"]) == (200, "settled")
    assert stack.simulate(agents_player).must_be_ok().content["passed"]


def test_a_stopped_tenant_stops_its_own_players_and_no_others(
    stack: Stack, database: Database, agents_player: str
) -> None:
    below, above = stack.session(agents_player), stack.session()
    placed = below.bet()
    database.change(SET_STATUS, status="SUSPENDED", agent=AGENT)
    assert below.debit().verdict == (423, "play_stopped")
    assert stack.launch(agents_player).verdict == (423, "play_stopped")
    below.credit(0, round_id=placed.round_id, related=placed.transaction_id).must_be_ok()
    assert above.bet().transaction_id
    assert stack.launch(above.user_id).status == 201
