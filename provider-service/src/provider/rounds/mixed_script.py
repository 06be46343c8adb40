"""Draws the script of a mixed round from a seed: one to three bets, perhaps one cancelled, then one of four endings.

Owns what may happen in such a round and how often. The same seed always gives the same script. It must never call
anything.
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
"""How a round may end, to how often in a hundred."""

ActKind = Literal["balance", "bet", "rollback", "credit"]
VALIDATES: Final = {
    "balance": "Read-only query",
    "bet": "Atomic debit",
    "rollback": "Reversal of the bet",
    "credit": "Payout; 0 records a lost bet",
}


@dataclass(frozen=True, slots=True)
class Act:
    """One step. `bet` is the number of the bet that it places, takes back or pays, counted from 1."""

    kind: ActKind
    bet: int = 0
    amount_minor: int = 0
    ends_round: bool = False


@dataclass(frozen=True, slots=True)
class MixedScript:
    """The acts of a round in order. `cancelled`: every bet is taken back, so nothing pays it out."""

    acts: tuple[Act, ...]
    cancelled: bool

    def rows(self) -> tuple[ScriptStep, ...]:
        """The same as the report shows it, with what the player is up after each step."""
        gain_minor, payouts = 0, 0
        rows: list[ScriptStep] = []
        for act in self.acts:
            gain_minor += -act.amount_minor if act.kind == "bet" else act.amount_minor
            payouts += act.kind == "credit"
            actions = {
                "balance": "balance_check",
                "bet": f"bet_{act.bet}",
                "rollback": f"rollback_bet_{act.bet}",
                "credit": f"payout_{payouts}",
            }
            rows.append(ScriptStep(actions[act.kind], act.amount_minor, gain_minor, VALIDATES[act.kind]))
        return tuple(rows)


def draw_script(seed: int) -> MixedScript:
    """The script of this seed."""
    dice = random.Random(seed)  # noqa: S311 -- repeatable on purpose: nothing here is a secret or a game's outcome
    stakes = {bet: STAKE_MINOR * dice.randint(1, STAKE_STEPS_MAX) for bet in range(1, dice.randint(1, BETS_MAX) + 1)}
    acts = [Act("balance"), *(Act("bet", bet, stake) for bet, stake in stakes.items())]
    live = list(stakes)
    if len(live) > 1 and dice.random() < CANCELS_A_BET_SHARE:
        taken_back = dice.choice(live)
        live.remove(taken_back)
        acts.append(Act("rollback", taken_back, stakes[taken_back]))
    ending = dice.choices(list(ENDINGS), weights=list(ENDINGS.values()))[0]
    if ending == "cancelled":
        acts += [Act("rollback", bet, stakes[bet]) for bet in live]
    else:
        acts += _credits(dice, live, ending)
    return MixedScript((*acts, Act("balance")), cancelled=ending == "cancelled")


def _credits(dice: random.Random, live: Sequence[int], ending: str) -> list[Act]:
    """The payouts; the last one ends the round."""
    count = dice.randint(2, CREDITS_MAX) if ending == "several_credits" else 1
    amounts = [0 if ending == "lost" else STAKE_MINOR * dice.randint(1, WIN_FACTOR_MAX) for _ in range(count)]
    return [
        Act("credit", dice.choice(live), amount, ends_round=number == count) for number, amount in enumerate(amounts, 1)
    ]
