"""Draws the script of a mixed round from a seed: one to three bets, perhaps one rolled back, then one of four endings.

The same seed always gives the same script.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from provider.rounds.script import STAKE_MINOR, ScriptStep

BETS_MAX: Final = 3
CREDITS_MAX: Final = 3
STAKE_STEPS_MAX: Final = 5
WIN_FACTOR_MAX: Final = 5
CANCELS_A_BET_SHARE: Final = 0.3
ENDINGS: Final = {"lost": 40, "won": 30, "several_credits": 18, "cancelled": 12}
"""The endings of a round and their shares in percent."""

StepKind = Literal["balance", "bet", "rollback", "credit"]
VALIDATES: Final = {
    "balance": "Read-only query",
    "bet": "Atomic debit",
    "rollback": "Reversal of the bet",
    "credit": "Payout; 0 records a lost bet",
}


@dataclass(frozen=True, slots=True)
class DrawnStep:
    """One step. `bet`: the number of the bet that it places, rolls back or pays, from 1."""

    kind: StepKind
    bet: int = 0
    amount_minor: int = 0
    ends_round: bool = False


@dataclass(frozen=True, slots=True)
class MixedScript:
    """The steps of a round in order. `cancelled`: every bet is rolled back, so no payout ends the round."""

    steps: tuple[DrawnStep, ...]
    cancelled: bool

    def rows(self) -> tuple[ScriptStep, ...]:
        """The steps as the report shows them, with the player's gain after each."""
        gain_minor, payouts = 0, 0
        rows: list[ScriptStep] = []
        for step in self.steps:
            gain_minor += -step.amount_minor if step.kind == "bet" else step.amount_minor
            payouts += step.kind == "credit"
            actions = {
                "balance": "balance_check",
                "bet": f"bet_{step.bet}",
                "rollback": f"rollback_bet_{step.bet}",
                "credit": f"payout_{payouts}",
            }
            rows.append(ScriptStep(actions[step.kind], step.amount_minor, gain_minor, VALIDATES[step.kind]))
        return tuple(rows)


def draw_script(seed: int) -> MixedScript:
    """Draw the script that belongs to this seed."""
    rng = random.Random(seed)  # noqa: S311 -- repeatable on purpose; no secret and no game depends on it
    stakes = {bet: STAKE_MINOR * rng.randint(1, STAKE_STEPS_MAX) for bet in range(1, rng.randint(1, BETS_MAX) + 1)}
    steps = [DrawnStep("balance"), *(DrawnStep("bet", bet, stake) for bet, stake in stakes.items())]
    live = list(stakes)
    if len(live) > 1 and rng.random() < CANCELS_A_BET_SHARE:
        taken_back = rng.choice(live)
        live.remove(taken_back)
        steps.append(DrawnStep("rollback", taken_back, stakes[taken_back]))
    ending = rng.choices(list(ENDINGS), weights=list(ENDINGS.values()))[0]
    if ending == "cancelled":
        steps += [DrawnStep("rollback", bet, stakes[bet]) for bet in live]
    else:
        steps += _credits(rng, live, ending)
    return MixedScript((*steps, DrawnStep("balance")), cancelled=ending == "cancelled")


def _credits(rng: random.Random, live: Sequence[int], ending: str) -> list[DrawnStep]:
    """Draw the payouts; the last one ends the round."""
    count = rng.randint(2, CREDITS_MAX) if ending == "several_credits" else 1
    amounts = [0 if ending == "lost" else STAKE_MINOR * rng.randint(1, WIN_FACTOR_MAX) for _ in range(count)]
    return [
        DrawnStep("credit", rng.choice(live), amount, ends_round=number == count)
        for number, amount in enumerate(amounts, 1)
    ]
