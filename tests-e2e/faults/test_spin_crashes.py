"""kill -9 of either service in the middle of a player's spin: whoever asks again finds one outcome, and one bet."""

import threading
from collections.abc import Callable

import httpx
import pytest

from e2e_testing.fault import Fault, Gate
from e2e_testing.platform_player import PlatformPlayer
from e2e_testing.service_process import ServiceProcess
from faults.faulty_stack import FaultyStack
from shared_service_testing.sampling import paired, sampled

pytestmark = pytest.mark.slow

VICTIMS: dict[str, Callable[[FaultyStack], list[ServiceProcess]]] = {
    "the provider": lambda faulty: [faulty.stack.provider_process],
    "the casino": lambda faulty: [faulty.stack.casino_process],
    "both": lambda faulty: [faulty.stack.provider_process, faulty.stack.casino_process],
}
HELD = {
    "before the bet": ("debit", lambda gate: Fault(hold_before=gate)),
    "after the bet": ("debit", lambda gate: Fault(hold_after=gate)),
    "before the payout": ("credit", lambda gate: Fault(hold_before=gate)),
    "after the payout": ("credit", lambda gate: Fault(hold_after=gate)),
}
BOOKED = (
    "select kind, amount_minor, state from casino.transactions join casino.wallets using (ledger_id, wallet_id)"
    " where player_id = %(player)s and kind in ('debit', 'credit', 'rollback') order by transactions.sequence_no"
)


def bring_back(faulty: FaultyStack) -> None:
    for service in (faulty.stack.casino_process, faulty.stack.provider_process):
        if service.process is None:
            if service.package == "provider":
                faulty.let_leases_end()
            service.restart()


def ask(player: PlatformPlayer) -> None:
    """Whatever this is told: its casino is killed meanwhile."""
    try:
        player.ask("spin")
    except httpx.HTTPError:
        return


@pytest.mark.parametrize(("victims", "held"), sampled(paired(VICTIMS, HELD), 2))
def test_a_spin_whose_process_died_has_one_outcome(fresh_faulty: FaultyStack, victims: str, held: str) -> None:
    faulty, gate = fresh_faulty, Gate()
    player = PlatformPlayer.at(faulty.stack)
    endpoint, fault = HELD[held]
    faulty.add_fault(lambda call: call.endpoint == endpoint, fault(gate))
    asking = threading.Thread(target=ask, args=(player,), daemon=True)
    asking.start()
    gate.wait_for_arrival()
    for victim in VICTIMS[victims](faulty):
        victim.kill_9()
    gate.open()
    bring_back(faulty)
    asking.join()

    result = player.spin("spin")
    assert player.spin("spin") == result
    booked = faulty.database.rows(BOOKED, player=player.player_id)
    standing = [row for row in booked if row["kind"] == "debit" and row["state"] == "committed"]
    assert [row["amount_minor"] for row in standing] == [1_000], "a stake that was returned is no bet"
    assert [row["amount_minor"] for row in booked if row["kind"] == "credit"] == [result["winMinor"]]
    faulty.require_agreement()
