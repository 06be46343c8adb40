"""Plans that were made while the ledger was empty stay right when it is full: no command ever scans it.

Statistics say that nobody has bet yet and nothing corrects them; one connection lives through it all, as the service's
do. Wallets and sessions are there: they come at a pace at which the server takes its statistics anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from casino.wallet import queries
from casino_testing.growth import add_other_players, freeze_statistics, open_sessions, play, reads_of
from casino_testing.risk import let_be
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet

PLAYERS = 32
ROUNDS = 36
SPINS_READ = 20
"""What casino.risk_of reads of a play session: until then a payout reads more each time."""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
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


@pytest.mark.parametrize("gap_seconds", [10.0, 0.5])
def test_reads_per_command_stay_the_same_while_the_ledger_grows(early_wallet: Wallet, gap_seconds: float) -> None:
    """Who plays fast shows a signal, for which losses are read, too; but not where no action can follow now."""
    tenant = early_wallet.tenant
    early_wallet.set_clock(NOON)
    early = open_sessions(early_wallet, PLAYERS, "early")
    play(early_wallet, early, 0)
    sessions = early + open_sessions(early_wallet, PLAYERS, "late")

    for session in sessions:
        let_be(tenant, session)

    def play_on(number: int) -> None:
        early_wallet.set_clock(NOON + timedelta(seconds=gap_seconds * number))
        play(early_wallet, sessions, number)

    costs = [reads_of(early_wallet, lambda: play_on(number)) for number in range(1, ROUNDS)]  # noqa: B023
    assert len(tenant.transactions()) == 5 * PLAYERS + 10 * PLAYERS * (ROUNDS - 1)
    assert {scanned for scanned, _ in costs} == {0}, "a table was scanned"
    assert costs[-1][1] <= 1.1 * costs[SPINS_READ][1], costs
    assert max(fetched for _, fetched in costs) <= READS_PER_COMMAND_MAX * COMMANDS_PER_ROUND, costs


def test_a_page_of_the_feed_and_a_look_up_scan_no_table(early_wallet: Wallet) -> None:
    """A function is planned without its arguments, so nothing tells the planner that a page is small."""
    sessions = open_sessions(early_wallet, PLAYERS, "early")
    for number in range(3):
        play(early_wallet, sessions, number)
    (newest,) = early_wallet.tenant.transactions()[-1:]
    wanted = {"ledger_id": 1, "provider_id": "main", "after": newest["feed_position"] - 2, "limit": 2}
    asked = {**wanted, "player_id": sessions[0].player_id, "transaction_id": newest["transaction_id"]}

    def read() -> None:
        early_wallet.wait(early_wallet.database.call(queries.FEED_PAGE, wanted))
        early_wallet.wait(early_wallet.database.call(queries.FIND_TRANSACTION, asked))
        early_wallet.wait(early_wallet.database.call(queries.FIND_TOMBSTONE, asked))

    assert reads_of(early_wallet, read)[0] == 0, "a table was scanned"
