"""All checks on closed books and on a history, each with its findings: what a campaign and the tests of it share."""

from collections.abc import Iterable, Sequence

from chaos import history
from chaos.history import Said
from chaos.record import (
    CONTRADICTED,
    MONEY_THAT_THE_PROVIDER_KNOWS_OTHERWISE,
    NEVER_INTENDED,
    ledger_of,
    states_of,
    steps_told,
)
from chaos.round_players import Report
from e2e_testing.books import broken_invariants, differences_the_casino_sees
from e2e_testing.both_books import disagreements
from e2e_testing.database import Database

SOUND_LEDGER = "I1 I2 I7 the ledger is sound"
CASINO_VIEW = "the casino sees no difference"
BOTH_BOOKS = "I6 both books agree"
CONTRADICTIONS = "I6 no decision of the wallet contradicts the provider's books, and no win was refused"
BALANCES = "I6 every balance is what the provider's bets and payouts make it"
INTENDED = "I4 nothing was done that was not written down first"
ACKNOWLEDGED = "I4 lost acknowledgements on the wire"
REPORTED = "I4 lost acknowledgements of players"

Findings = dict[str, list[str]]


def book_findings(database: Database) -> Findings:
    """What the two books say, each for itself and together."""
    broken = broken_invariants(database)
    return {
        SOUND_LEDGER: [f"{name}: {rows[:3]}" for name, rows in broken.items()],
        CASINO_VIEW: [str(row) for row in differences_the_casino_sees(database)],
        BOTH_BOOKS: disagreements(database),
        CONTRADICTIONS: [str(row) for row in database.rows(CONTRADICTED)],
        BALANCES: [str(row) for row in database.rows(MONEY_THAT_THE_PROVIDER_KNOWS_OTHERWISE)],
        INTENDED: [str(row) for row in database.rows(NEVER_INTENDED)],
    }


def history_findings(database: Database, said: Sequence[Said], reports: Iterable[Report]) -> Findings:
    """What was said, beside the books."""
    ledger, ours = ledger_of(database), states_of(database)
    return {
        ACKNOWLEDGED: list(history.lost_acknowledgements(said, ledger)),
        REPORTED: list(history.lost_reports(steps_told(reports), ledger, ours)),
        "I5 double effects": list(history.double_effects(said)),
        "I5 one id in several wallets": list(history.ids_in_several_wallets(ledger.values())),
        "I5 replays that differ": list(history.differing_replays(said)),
        "I8 wallets that are not linear": list(history.out_of_order(said, ledger)),
        "I10 nonces accepted twice": list(history.reused_nonces(said)),
    }
