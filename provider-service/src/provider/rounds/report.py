"""The report of a simulated round, as the wire has it.

Owns its shape and how steps are noted. It must never show a session token: requests and answers are masked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from provider.rounds.script import ScriptStep
from provider.wallet_client.messages import WalletCall, WalletSession, mask_token
from provider.wallet_client.outcomes import Accepted, Outcome, Refused


class StepReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One step. `balance` is the wallet's after the step, null when nobody knows it; `problem` says why it failed."""

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
    """The whole round."""

    passed: bool
    round_id: str
    currency: str
    start_balance: str | None
    final_balance: str | None
    net_profit: str | None
    steps: list[StepReport]
    problem: str | msgspec.UnsetType = msgspec.UNSET


@dataclass(slots=True)
class Notes:
    """The report while the round is played. `balance_minor` is the wallet's balance as far as it is known."""

    round_id: str
    player: WalletSession
    script: Sequence[ScriptStep]
    steps: list[StepReport] = field(default_factory=list)
    start_minor: int | None = None
    balance_minor: int | None = None

    def expected_minor(self, number: int) -> int:
        """What the wallet must hold after this step."""
        if self.start_minor is None:
            raise RuntimeError("no step has an expectation before the first balance")
        return self.start_minor + self.script[number - 1].gain_minor

    def add(self, number: int, call: WalletCall, outcome: Outcome | None, problem: str | None) -> None:
        """Note a step that was played."""
        shown = outcome.members if isinstance(outcome, Accepted | Refused) else None
        self._append(
            number,
            problem,
            status=None if outcome is None else outcome.status,
            request=mask_token(call.body(self.player), self.player.token),
            response=None if shown is None else mask_token(shown, self.player.token),
        )

    def cut_short(self) -> None:
        """Note that time ran out in the middle of a step."""
        if len(self.steps) < len(self.script):
            self.balance_minor = None
            self._append(
                len(self.steps) + 1, "The round ran out of time here.", status=None, request=None, response=None
            )

    def finish(self, problem: str | None) -> RoundReport:
        """Note the steps that were not played, and sum up."""
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
