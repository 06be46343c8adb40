"""Requests a scripted round from the casino, and compares the report with the expected balances.

The expected figures are those of the seed document. They are not computed from the services' answers.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

USER_ID, GAME_ID = "1", "1"
DEMO_START_MINOR = 1_000_000
NET_PROFIT_MINOR = 1_000
ROUND_TIMEOUT_SECONDS = 60
OK, REFUSED = 200, 400


@dataclass(frozen=True, slots=True)
class ExpectedStep:
    action: str
    amount: str  # as the seed document prints it
    moved_minor: int  # the balance after the step, relative to the start
    status: int = OK


EXPECTED = (
    ExpectedStep("balance_check", "--", 0),
    ExpectedStep("bet_1", "-1,000", -1_000),
    ExpectedStep("bet_2", "-1,000", -2_000),
    ExpectedStep("rollback_bet_2", "+1,000", -1_000),
    ExpectedStep("payout", "+2,000", 1_000),
    ExpectedStep("final_balance_check", "--", 1_000),
    ExpectedStep("idempotency_retry", "0", 1_000),
    ExpectedStep("tombstone_rollback", "0", 1_000),
    ExpectedStep("rejected_rollback", "--", 1_000, REFUSED),
)


@dataclass(frozen=True, slots=True)
class JudgedStep:
    number: int
    action: str
    amount: str
    expected_minor: int
    actual_minor: int | None
    validates: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judged steps. `reasons`: every difference; the round passed when there is none."""

    steps: tuple[JudgedStep, ...]
    final_minor: int | None
    currency: str
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.reasons


class RoundNotPlayedError(RuntimeError):
    """The casino did not answer, or not with a report."""


def play_round(casino_url: str, *, game_id: str = GAME_ID, ca_file: Path | None = None) -> Mapping[str, Any]:
    """Request a scripted round of the game and return its report. Raises RoundNotPlayedError."""
    try:
        verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
    except OSError as error:
        raise RoundNotPlayedError(f"PROVIDER_CA_FILE={ca_file} cannot be used: {error.strerror}") from error
    try:
        answer = httpx.post(
            f"{casino_url}/casino/simulateRound",
            json={"userId": USER_ID, "gameId": game_id},
            timeout=ROUND_TIMEOUT_SECONDS,
            trust_env=False,
            verify=verify,
        )
        report = answer.json()
    except httpx.TransportError as error:
        raise RoundNotPlayedError(f"no casino at {casino_url} ({error}); {_advice(casino_url, error)}") from error
    except ValueError as error:
        raise RoundNotPlayedError(f"the casino answered {answer.status_code} with a body that is not JSON") from error
    if answer.status_code != OK or not isinstance(report, dict) or not isinstance(report.get("steps"), list):
        raise RoundNotPlayedError(f"the casino answered {answer.status_code}: {answer.text}")
    return report


def _advice(casino_url: str, error: httpx.TransportError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "set PROVIDER_CA_FILE to the file of the authority that issued its certificate"
    if isinstance(error, httpx.ConnectError | httpx.TimeoutException):
        return "start one with: make serve; for one that runs elsewhere set CASINO_PORT or CASINO_URL"
    other = "http" if casino_url.startswith("https:") else "https"
    return f"perhaps it uses {other}: set CASINO_URL, and for a private authority PROVIDER_CA_FILE"


def judge(report: Mapping[str, Any], *, start_minor: int | None = None) -> Verdict:
    """Compare a report with the expected figures. Without `start_minor` the report's start balance counts."""
    claimed = _minor(report.get("startBalance"))
    start = start_minor if start_minor is not None else claimed or 0
    actual: Sequence[Mapping[str, Any]] = report["steps"]
    padded = [*actual, *({} for _ in EXPECTED[len(actual) :])]
    steps = tuple(
        _judge_step(number, wanted, padded[number - 1], start) for number, wanted in enumerate(EXPECTED, start=1)
    )
    final = _minor(report.get("finalBalance"))
    reasons = [f"step {step.number} ({step.action}): {reason}" for step in steps for reason in step.reasons]
    reasons += _differences("startBalance", start, claimed)
    reasons += _differences("finalBalance", start + NET_PROFIT_MINOR, final)
    reasons += _differences("netProfit", NET_PROFIT_MINOR, _minor(report.get("netProfit")))
    reasons += _differences("the number of steps", len(EXPECTED), len(actual))
    reasons += _differences("passed", True, report.get("passed"))
    return Verdict(steps, final, str(report.get("currency", "")), tuple(reasons))


def _judge_step(number: int, wanted: ExpectedStep, actual: Mapping[str, Any], start_minor: int) -> JudgedStep:
    expected_minor, actual_minor = start_minor + wanted.moved_minor, _minor(actual.get("balance"))
    if isinstance(problem := actual.get("problem"), str):  # the provider's sentence says more than the differences
        reasons = [problem]
    else:
        reasons = [
            *_differences("step", number, actual.get("step")),
            *_differences("action", wanted.action, actual.get("action")),
            *_differences("status", wanted.status, actual.get("status")),
            *_differences("balance", expected_minor, actual_minor),
            *_differences("passed", True, actual.get("passed")),
        ]
    validates = str(actual.get("validates", ""))
    return JudgedStep(number, wanted.action, wanted.amount, expected_minor, actual_minor, validates, tuple(reasons))


def _differences(what: str, expected: object, actual: object) -> list[str]:
    return [] if expected == actual else [f"{what} is {actual!r} instead of {expected!r}"]


def _minor(word: object) -> int | None:
    """A balance in minor units from its decimal string; None for anything else."""
    return int(word) if isinstance(word, str) and word.removeprefix("-").isdecimal() else None
