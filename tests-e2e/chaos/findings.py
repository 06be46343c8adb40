"""All checks on closed books and on a history, each with its findings: what a campaign and the tests of it share."""

from collections.abc import Iterable, Mapping, Sequence

from chaos import history
from chaos.history import Key, Ledger, Said
from chaos.record import (
    CONTRADICTED,
    MONEY_THAT_THE_PROVIDER_KNOWS_OTHERWISE,
    NEVER_INTENDED,
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
States = Mapping[Key, str]


def ledger_findings(database: Database) -> Findings:
    """What a casino's books say for themselves."""
    broken = broken_invariants(database)
    return {
        SOUND_LEDGER: [f"{name}: {rows[:3]}" for name, rows in broken.items()],
        CASINO_VIEW: [str(row) for row in differences_the_casino_sees(database)],
    }


def agreement_findings(database: Database) -> Findings:
    """What a casino's and a studio's books in one database say together."""
    return {
        BOTH_BOOKS: disagreements(database),
        CONTRADICTIONS: [str(row) for row in database.rows(CONTRADICTED)],
        INTENDED: [str(row) for row in database.rows(NEVER_INTENDED)],
    }


def balance_findings(database: Database) -> Findings:
    """Whether the casino's balances are what all of its studios know."""
    return {BALANCES: [str(row) for row in database.rows(MONEY_THAT_THE_PROVIDER_KNOWS_OTHERWISE)]}


def book_findings(database: Database) -> Findings:
    """All of these, for a casino with one studio, whose books are in the same database."""
    return ledger_findings(database) | agreement_findings(database) | balance_findings(database)


def history_findings(ledger: Ledger, ours: States, said: Sequence[Said], reports: Iterable[Report]) -> Findings:
    """What was said, beside the casinos' books and `ours`, the studios'."""
    return {
        ACKNOWLEDGED: list(history.lost_acknowledgements(said, ledger)),
        REPORTED: list(history.lost_reports(steps_told(reports), ledger, ours)),
        "I5 double effects": list(history.double_effects(said)),
        "I5 one id in several wallets": list(history.ids_in_several_wallets(ledger.values())),
        "I5 replays that differ": list(history.differing_replays(said)),
        "I8 wallets that are not linear": list(history.out_of_order(said, ledger)),
        "I10 nonces accepted twice": list(history.reused_nonces(said)),
    }
