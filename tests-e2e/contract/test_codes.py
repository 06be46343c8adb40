"""Every code of protocol section 6 has a test that sees it come from a real service, or a reason why none can."""

import subprocess
import sys
from pathlib import Path

import pytest

from e2e_testing.answers import CODES_BY_STATUS

ROOT = Path(__file__).parents[2]
COLLECTION_SECONDS_MAX = 250
# Codes that neither service of this stack sends yet, and where they are provoked instead.
SENT_BY_OTHERS = {
    "round_not_found": "only other wallets send it; faults/test_false_answers.py plays one",
    "operator_unreachable": "only a spin whose debit got lost; faults/test_lost_spins.py loses one",
    "operator_rejected": "only a spin whose payout is refused; provider-service/tests/spins/test_outcomes.py has one",
    "operator_bad_response": "the provider says it to a game page, which comes later; faults/ provokes the condition",
}
SEES_IT = 'CODES_SEEN.add("not_found")'


def test_every_code_of_the_contract_is_named_by_a_test_that_provokes_it() -> None:
    collect = "-m pytest -q -p no:cacheprovider tests-e2e/contract --collect-only --named-codes"
    collected = subprocess.run(
        [sys.executable, *collect.split(" ")],
        cwd=ROOT, capture_output=True, text=True, timeout=COLLECTION_SECONDS_MAX, check=False,
    )  # fmt: skip
    assert collected.returncode == 0, collected.stdout + collected.stderr
    named = {
        code
        for line in collected.stdout.splitlines()
        if " provokes: " in line
        for code in line.partition(" provokes: ")[2].split()
    }
    codes = {code for of_status in CODES_BY_STATUS.values() for code in of_status}
    assert named == codes - SENT_BY_OTHERS.keys()


@pytest.mark.parametrize(("does", "outcome"), [(SEES_IT, "passed"), ("pass", "failed"), ("assert False", "failed")])
def test_a_test_that_names_a_code_fails_unless_it_has_seen_it(
    pytester: pytest.Pytester, does: str, outcome: str
) -> None:
    pytester.makepyfile(
        "import pytest\nfrom e2e_testing.answers import CODES_SEEN\n"
        f"@pytest.mark.provokes('not_found')\ndef test_it():\n    {does}\n"
    )
    ended = pytester.inline_run("-p", "e2e_testing.provocations", "-p", "no:cacheprovider")
    ended.assertoutcome(**{outcome: 1})
