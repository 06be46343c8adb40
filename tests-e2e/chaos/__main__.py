"""`python -m chaos`: one campaign of faults against both services."""

import argparse
import logging
import secrets
import signal
import sys
from types import FrameType
from typing import NoReturn

from chaos.campaign import run
from chaos.plan import draw_plan

SECONDS = 60.0
SEED_BITS = 32


ENDINGS = (signal.SIGINT, signal.SIGTERM)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Clean up once: a second Ctrl-C must not interrupt the cleaning and leave processes behind."""
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    # The players' tasks are torn down where they stand: what they would say about that is of no interest.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="draws the plan; random where it is not given")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long the faults last")
    parser.add_argument("--plan", action="store_true", help="print the plan and do nothing")
    asked = parser.parse_args()
    seed = secrets.randbits(SEED_BITS) if asked.seed is None else asked.seed
    plan = draw_plan(seed, asked.seconds)
    if asked.plan:
        print(plan)
        return 0
    for ending in ENDINGS:
        signal.signal(ending, _end)
    try:
        return run(plan)
    except KeyboardInterrupt:
        print(f"interrupted; nothing is left running. Seed {seed}")
        return 130


if __name__ == "__main__":
    sys.exit(main())
