"""Seeded samples of long lists of cases: CI plays a sample, NIGHTLY=1 plays every case."""

import os
import random
from collections.abc import Iterable
from typing import TypeVar

Case = TypeVar("Case")
Option = TypeVar("Option")

SEED = os.environ.get("SEED") or "8"
IS_NIGHTLY = os.environ.get("NIGHTLY") == "1"


def sampled(cases: Iterable[Case], count: int, *, seed: str = SEED) -> list[Case]:
    """`count` of the cases, in their order and the same ones for the same seed; with NIGHTLY=1 every case."""
    found = list(cases)
    if IS_NIGHTLY or count >= len(found):
        return found
    chosen = random.Random(seed).sample(range(len(found)), count)
    return [found[index] for index in sorted(chosen)]


def paired(cases: Iterable[Case], options: Iterable[Option], *, seed: str = SEED) -> list[tuple[Case, Option]]:
    """Every case with one of the options, drawn by the seed; with NIGHTLY=1 every case with every option."""
    draw, all_options = random.Random(seed), list(options)
    return [(case, option) for case in cases for option in (all_options if IS_NIGHTLY else [draw.choice(all_options)])]
