"""What a campaign will do, drawn from its seed: which processes suffer when, and what every single call meets.

The same seed gives the same plan on any machine: nothing here reads a clock.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

WIRE_SHARES = {
    "lose_request": (0.005, 0.06),
    "lose_answer": (0.01, 0.06),
    "cut_request_half_way": (0.003, 0.02),
    "cut_answer_half_way": (0.003, 0.02),
    "delay": (0.02, 0.15),
    "delay_beyond_deadline": (0.003, 0.02),
    "late_debit": (0.01, 0.05),
    "reorder": (0.01, 0.08),
    "duplicate_same_nonce": (0.01, 0.10),
    "duplicate_fresh_nonce": (0.01, 0.10),
    "corrupt_request": (0.003, 0.04),
    "corrupt_answer": (0.003, 0.04),
    "nonsense": (0.01, 0.06),
    "slow_drip": (0.002, 0.01),
}
"""Fault of a message to the least and the most of all calls that it may be drawn for."""

ALWAYS = ("lose_answer", "late_debit", "duplicate_fresh_nonce")
"""Without these a campaign might never reach the states that it is for."""
ON_SHARE = 0.75
"""How likely each of the others is in a seed at all: rare faults show best without the loud ones."""

PROCESS_WEIGHTS = {
    "kill_casino": 4,
    "kill_provider": 4,
    "kill_both": 2,
    "freeze_casino": 2,
    "freeze_provider": 2,
    "freeze_postgres": 1,
    "stop_postgres_immediately": 1,
    "kill_postgres": 1,
    "kill_one_backend": 1,
    "power_cut": 1,
    "break_connections": 2,
    "exclude_a_player": 2,
    "step_clock": 1,
}
"""Fault of a process to how often it comes, compared with the others."""

FIRST_PROCESS_FAULT_SECONDS = 2.0
PAUSE_SECONDS = (1.0, 5.0)
DOWN_SECONDS = (0.0, 1.5)
FROZEN_SECONDS = (0.3, 4.0)
CLOCK_STEPS_SECONDS = (-100, -50, -20, 20, 50, 100)
CALM_AT_THE_END_SECONDS = 3.0
MIXED_ROUNDS_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class ProcessFault:
    """One event of the schedule. `which` picks the victim among those of its kind, `size` is a length or a step."""

    at_seconds: float
    kind: str
    which: int
    size: float

    def __str__(self) -> str:
        return f"{self.at_seconds:6.2f} s  {self.kind} #{self.which} ({self.size:g})"


@dataclass(frozen=True, slots=True)
class WireFault:
    """The fault of one call. `seed` draws what else the fault needs, such as a delay."""

    kind: str
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole campaign."""

    seed: int
    seconds: float
    shares: tuple[tuple[str, float], ...]
    schedule: tuple[ProcessFault, ...]

    def wire_fault(self, player: str, ordinal: int) -> WireFault | None:
        """The fault of the player's call of this number, whenever the call comes."""
        rng = random.Random(f"{self.seed}/{player}/{ordinal}")
        left = rng.random()
        for kind, share in self.shares:
            left -= share
            if left < 0:
                return WireFault(kind, rng.getrandbits(32))
        return None

    def round_seed(self, player: str, number: int) -> int | None:
        """The seed of the player's mixed round of this number; None: it is a round of nine steps."""
        rng = random.Random(f"{self.seed}/{player}/round {number}")
        return rng.getrandbits(63) if rng.random() < MIXED_ROUNDS_SHARE else None

    def __str__(self) -> str:
        wire = [f"{share:7.2%}  {kind}" for kind, share in self.shares]
        return "\n".join([f"plan of seed {self.seed} for {self.seconds:g} s", *wire, *map(str, self.schedule)])


def draw_plan(seed: int, seconds: float) -> Plan:
    """The plan of this seed."""
    rng = random.Random(f"plan {seed}")
    shares = []
    for kind, (least, most) in WIRE_SHARES.items():
        share, on = rng.uniform(least, most), rng.random() < ON_SHARE
        if on or kind in ALWAYS:
            shares.append((kind, share))
    kinds = {kind: weight for kind, weight in PROCESS_WEIGHTS.items() if rng.random() < ON_SHARE}
    kinds |= {kind: PROCESS_WEIGHTS[kind] for kind in ("kill_casino", "kill_provider")}
    return Plan(seed, seconds, tuple(shares), tuple(_schedule(rng, kinds, seconds)))


def _schedule(rng: random.Random, kinds: dict[str, int], seconds: float) -> Iterator[ProcessFault]:
    # At any length both services die once; the rest is drawn.
    opening = ["kill_casino", "kill_provider"]
    at_seconds = FIRST_PROCESS_FAULT_SECONDS
    while at_seconds < seconds - CALM_AT_THE_END_SECONDS:
        kind = opening.pop(0) if opening else rng.choices(list(kinds), weights=list(kinds.values()))[0]
        if kind == "step_clock":
            size = float(rng.choice(CLOCK_STEPS_SECONDS))
        else:
            size = round(rng.uniform(*(FROZEN_SECONDS if kind.startswith("freeze") else DOWN_SECONDS)), 2)
        yield ProcessFault(round(at_seconds, 2), kind, rng.randrange(1000), size)
        at_seconds += rng.uniform(*PAUSE_SECONDS)
