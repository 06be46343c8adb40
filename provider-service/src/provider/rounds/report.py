"""Builds the report of a simulated round, which is the answer of POST /provider/simulate.

Session tokens are masked in the requests and answers that it shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from provider.rounds.script import ScriptStep
from provider.wallet_client.messages import WalletCall, WalletSession, mask_token
from provider.wallet_client.outcomes import Accepted, Outcome, Refused


class StepReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One step. `balance`: after the step, null when it is unknown. `problem`: why the step failed."""

    step: int
    action: str
    amount: str
    balance: str | None
    status: int | None
    passed: bool
    validates: str
    request: dict[str, Any] | None
    response: dict[str, Any] | None
    problem: str | msgspec.UnsetType = msgspec.UNSET


class RoundReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of POST /provider/simulate. Amounts are minor units as decimal strings."""

    passed: bool
    round_id: str
    currency: str
    start_balance: str | None
    final_balance: str | None
    net_profit: str | None
    steps: list[StepReport]
    problem: str | msgspec.UnsetType = msgspec.UNSET


@dataclass(slots=True)
class ReportBuilder:
    """Collects the steps while the round is played. `balance_minor`: the last known balance of the wallet."""

    round_id: str
    player: WalletSession
    script: Sequence[ScriptStep]
    steps: list[StepReport] = field(default_factory=list)
    start_minor: int | None = None
    balance_minor: int | None = None

    def expected_minor(self, number: int) -> int:
        """The balance that the wallet must have after this step."""
        if self.start_minor is None:
            raise RuntimeError("no step has an expectation before the first balance")
        return self.start_minor + self.script[number - 1].gain_minor

    def add(self, number: int, call: WalletCall, outcome: Outcome | None, problem: str | None) -> None:
        """Add a step that was played; `problem` is None when it passed."""
        shown = outcome.members if isinstance(outcome, Accepted | Refused) else None
        self._append(
            number,
            problem,
            status=None if outcome is None else outcome.status,
            request=mask_token(call.body(self.player), self.player.token),
            response=None if shown is None else mask_token(shown, self.player.token),
        )

    def add_timeout(self) -> None:
        """Add the step during which the time ran out."""
        if len(self.steps) < len(self.script):
            self.balance_minor = None
            self._append(
                len(self.steps) + 1, "The round ran out of time here.", status=None, request=None, response=None
            )

    def finish(self, problem: str | None) -> RoundReport:
        """Add the steps that were not played, and return the report."""
        for number in range(len(self.steps) + 1, len(self.script) + 1):
            self.balance_minor = None
            self._append(number, "Not played: a step before it failed.", status=None, request=None, response=None)
        start, final = self.start_minor, self.steps[-1].balance
        return RoundReport(
            passed=problem is None and all(step.passed for step in self.steps),
            round_id=self.round_id,
            currency=self.player.currency,
            start_balance=None if start is None else str(start),
            final_balance=final,
            net_profit=None if start is None or final is None else str(int(final) - start),
            steps=self.steps,
            problem=msgspec.UNSET if problem is None else problem,
        )

    def _append(
        self,
        number: int,
        problem: str | None,
        *,
        status: int | None,
        request: dict[str, Any] | None,
        response: dict[str, Any] | None,
    ) -> None:
        row = self.script[number - 1]
        self.steps.append(
            StepReport(
                step=number,
                action=row.action,
                amount=str(row.amount_minor),
                balance=None if self.balance_minor is None else str(self.balance_minor),
                status=status,
                passed=problem is None,
                validates=row.validates,
                request=request,
                response=response,
                problem=msgspec.UNSET if problem is None else problem,
            )
        )
