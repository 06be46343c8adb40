"""The alert rules are valid, each fires on its fault, and none fires in an hour without one.

tests-e2e/contract/test_alerts.py proves that their metrics exist and change with real faults.
"""

import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
NO_APT = 3
FETCH_SECONDS = 240
RULES = HERE / "wallet.rules.yml"
PLAYED = HERE / "wallet.rules.test.yml"


@pytest.fixture(scope="module")
def promtool() -> str:
    """The path of promtool. Skips the test on a machine with neither promtool nor apt."""
    found = subprocess.run([HERE / "promtool.sh"], capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    if found.returncode == NO_APT:
        pytest.skip(found.stderr)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", RULES.name],
        ["check", "config", "prometheus.yml"],
        ["test", "rules", PLAYED.name],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_prometheus_reads_and_plays_them(promtool: str, arguments: list[str]) -> None:
    played = subprocess.run([promtool, *arguments], cwd=HERE, capture_output=True, text=True, timeout=60, check=False)
    assert played.returncode == 0, played.stdout + played.stderr


def test_each_rule_is_played_and_says_how_urgent_it_is_and_what_to_do() -> None:
    rules = RULES.read_text().split("- alert: ")[1:]
    played = set(re.findall(r'alertname="(\w+)", alertstate="firing"', PLAYED.read_text()))
    assert {rule.split(maxsplit=1)[0] for rule in rules} == played
    for rule in rules:
        assert re.search(r"labels: \{severity: (page|ticket)\}", rule), rule
        summary = rule.partition("summary: >-")[2]
        assert len(summary.split()) > 12, f"a summary says what to do: {rule}"


def test_each_rule_links_to_its_runbook_which_says_how_urgent_it_is() -> None:
    sections = re.findall(r"^## (\w+)\n(page|ticket)\. ", (HERE.parents[1] / "docs" / "runbooks.md").read_text(), re.M)
    rules = re.findall(
        r"- alert: (\w+)\n.*?severity: (\w+)\}\n        annotations:\n          runbook: docs/runbooks\.md#(\w+)\n",
        RULES.read_text(),
        re.DOTALL,
    )
    assert [(name, severity) for name, severity, _ in rules] == sections
    assert len(sections) == RULES.read_text().count("- alert: ")
    assert [anchor for _, _, anchor in rules] == [name.lower() for name, _ in sections]


def test_the_calm_hour_has_every_metric_that_a_rule_counts_on() -> None:
    calm = PLAYED.read_text().partition("- name: a calm hour")[2].partition("- name:")[0]
    expressions = "".join(re.findall(r"expr:(.+?)(?:for|labels):", RULES.read_text(), re.DOTALL))
    wanted = set(re.findall(r"\b(?:casino|provider)_[a-z_]+[a-z]\b", expressions))
    assert len(wanted) > 10
    assert {name for name in wanted if f"'{name}{{" not in calm} == set()
