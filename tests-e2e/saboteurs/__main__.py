"""`make saboteurs`: break a copy of the product in one place at a time, and see which test notices.

python -m saboteurs [--only NAME,NAME] [--sample N --seed S] [--lanes N]

Ends with 1 when a saboteur survives, when one no longer fits the code, or when a test that caught one fails on a clean
copy too.
"""

import argparse
import itertools
import os
import queue
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from saboteurs.catalogue import ROOT, Planted, Saboteur, chosen, load, stale_among
from saboteurs.trial import Verdict, copy_repository, run_tests

LANES = 2
NAMED_SECONDS = 240
SUITE_SECONDS = 420
END_TO_END = "tests-e2e"
_ages = itertools.count(10)


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one saboteur. `late`: a test outside the named files caught it."""

    saboteur: Saboteur
    verdict: Verdict
    seconds: float
    late: bool

    @property
    def word(self) -> str:
        if self.verdict.failed:
            return "caught"
        return "spoilt" if self.verdict.spoilt else "SURVIVED"

    def line(self) -> str:
        by = self.verdict.failed or self.verdict.spoilt or self.saboteur.at
        return f"{self.word:8} {self.seconds:5.1f} s  {self.saboteur.name:44} {'LATE ' * self.late}{by}"


def try_out(saboteur: Saboteur, copy: Path, *, named_only: bool) -> Result:
    """The named files first, then the rest of the package's suite, then end to end."""
    started = time.monotonic()
    runs: list[tuple[Sequence[str], int]] = [(saboteur.test_files(copy), NAMED_SECONDS)]
    if not named_only:
        runs += [([saboteur.suite], SUITE_SECONDS), ([END_TO_END], SUITE_SECONDS)]
    verdict, late = Verdict(), False
    with Planted(saboteur, copy, age_seconds=next(_ages) * 10):
        for number, (tests, seconds) in enumerate(runs):
            late = number > 0
            verdict = run_tests(copy, tests, seconds=seconds)
            if verdict.failed or verdict.spoilt:
                break
    return Result(saboteur, verdict, time.monotonic() - started, late)


def run_all(saboteurs: Sequence[Saboteur], folder: Path, *, lanes: int, named_only: bool) -> Iterator[Result]:
    """All of them, as many at once as there are copies."""
    copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for number in range(lanes):
        copy_repository(ROOT, folder / f"copy-{number}")
        copies.put(folder / f"copy-{number}")

    def one(saboteur: Saboteur) -> Result:
        copy = copies.get()
        try:
            return try_out(saboteur, copy, named_only=named_only)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(lanes) as pool:
        yield from pool.map(one, saboteurs)


def failing_when_clean(results: Sequence[Result], folder: Path) -> Verdict:
    """Run every test that caught something once more, on a copy in which nothing is broken."""
    catchers = sorted({result.verdict.failed for result in results if result.verdict.failed})
    if not catchers:
        return Verdict()
    copy_repository(ROOT, folder / "clean")
    verdict = run_tests(folder / "clean", catchers, seconds=SUITE_SECONDS)
    if not (verdict.failed or verdict.spoilt) and verdict.passed != len(catchers):
        return Verdict(verdict.passed, spoilt=f"{verdict.passed} of {len(catchers)} tests ran")
    return verdict


def main() -> int:
    options = arguments()
    saboteurs = chosen(load(), only=options.only, sample=options.sample, seed=options.seed)
    if stale := stale_among(saboteurs, ROOT):
        raise SystemExit("\n".join(stale))
    seed = f", seed {options.seed}" if options.sample else ""
    print(f"{len(saboteurs)} saboteurs{seed}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="saboteurs-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        results = []
        for result in run_all(saboteurs, folder, lanes=options.lanes, named_only=options.named_only):
            results.append(result)
            print(result.line(), flush=True)
        clean = failing_when_clean(results, folder)
    caught = [result for result in results if result.verdict.failed]
    if clean.failed or clean.spoilt:
        print(f"On a clean copy: {clean.failed or ''} {clean.reason} {clean.spoilt or ''}")
    else:
        print(f"the {clean.passed} tests that caught them pass on a clean copy")
    print(f"caught {len(caught)} / {len(results)} in {time.monotonic() - started:.0f} s")
    return 0 if len(caught) == len(results) and not (clean.failed or clean.spoilt) else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="saboteurs", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=[], type=lambda text: [name for name in text.split(",") if name])
    parser.add_argument("--sample", type=lambda text: int(text) if text else None)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--lanes", type=int, default=min(LANES, os.cpu_count() or 1))
    parser.add_argument(
        "--named-only", action="store_true", help="do not go on to the whole suite: for writing new ones"
    )
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
