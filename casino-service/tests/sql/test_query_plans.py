"""Plans that were made while the ledger was empty stay right when it is full: no command ever scans it.

Statistics say that nobody has bet yet and nothing corrects them; one connection lives through it all, as the service's
do. Wallets and sessions are there: they come at a pace at which the server takes its statistics anew.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from casino_testing.growth import add_other_players, freeze_statistics, open_sessions, play, reads_of
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet

PLAYERS = 32
ROUNDS = 30
COMMANDS_PER_ROUND = 8 * 2 * PLAYERS
READS_PER_COMMAND_MAX = 16.0


@pytest.fixture
def early_wallet(own_database: str) -> Iterator[Wallet]:
    """A wallet that was there before anything else."""
    tenant = Tenant.demo(own_database)
    add_other_players(tenant)
    freeze_statistics(tenant)
    wallet = Wallet(tenant, settings_of(tenant))
    yield wallet
    wallet.close()
    assert tenant.differences() == []
    tenant.close()


def test_reads_per_command_stay_the_same_while_the_ledger_grows(early_wallet: Wallet) -> None:
    tenant = early_wallet.tenant
    early = open_sessions(early_wallet, PLAYERS, "early")
    play(early_wallet, early, 0)
    sessions = early + open_sessions(early_wallet, PLAYERS, "late")
    costs = [reads_of(early_wallet, lambda: play(early_wallet, sessions, number)) for number in range(1, ROUNDS)]  # noqa: B023
    assert len(tenant.transactions()) == 5 * PLAYERS + 10 * PLAYERS * (ROUNDS - 1)
    assert {scanned for scanned, _ in costs} == {0}, "a table was scanned"
    assert costs[-1][1] <= 1.1 * costs[0][1], costs
    assert max(fetched for _, fetched in costs) <= READS_PER_COMMAND_MAX * COMMANDS_PER_ROUND, costs
