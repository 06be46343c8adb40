"""The verdict on a campaign: which states it must have reached to mean anything, what was found, how it is printed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from e2e_testing.two_pairs import RELATIONS

SHOWN_FINDINGS_MAX = 8
FINDING_CHARACTERS_MAX = 600
MUST_REACH = (
    "tombstones_of_real_bets",
    "late_debits_refused",
    "replays",
    "unknown_outcomes",
    # Without these a check has looked at nothing, and is green for that.
    "signed_answers",
    "looks_at_the_ledger",
    "moves_of_the_house",
    "vouchers_redeemed",
    "spins_of_guests",
    "webhook_messages",
    "old_requests_sent_again",
    *(f"bets_of_studio_{studio}_at_casino_{casino}" for casino, studio in RELATIONS),
)
EXIT_STATUS = {"green": 0, "red": 1, "VOID": 2}


@dataclass(slots=True)
class Verdict:
    """Findings by the name of the check, and what the run reached."""

    findings: dict[str, list[str]] = field(default_factory=dict)
    reached: Counter[str] = field(default_factory=Counter)

    def hold(self, name: str, findings: Iterable[str]) -> None:
        self.findings[name] = list(findings)

    @property
    def word(self) -> str:
        if any(self.findings.values()):
            return "red"
        return "VOID" if self.not_reached else "green"

    @property
    def not_reached(self) -> list[str]:
        return [state for state in MUST_REACH if not self.reached[state]]

    @property
    def exit_status(self) -> int:
        return EXIT_STATUS[self.word]

    def lines(self) -> list[str]:
        told = [f"  {'ok ' if not found else 'RED'} {len(found):4}  {name}" for name, found in self.findings.items()]
        for name, found in self.findings.items():
            told += [f"{name}: {finding[:FINDING_CHARACTERS_MAX]}" for finding in found[:SHOWN_FINDINGS_MAX]]
        told += [f"never reached: {state}: this run proves nothing" for state in self.not_reached]
        return told


def counted(title: str, counts: Mapping[str, int]) -> list[str]:
    return [title, *(f"  {count:7}  {name.replace('_', ' ')}" for name, count in sorted(counts.items()) if count)]
