"""Runs test suites in parallel, a few at a time, because they wait more than they compute.

    python deploy/run_suites.py SUITE...

A SUITE is what one pytest run tests: `shared-signing`, several folders as `tests-e2e/bench+tests-e2e/fuzz`, or
`casino-service:2`, whose test files are dealt to two runs. Runs start in the order given: name the long suites first.
Prints the output of each run when it has ended. Fails when any run fails.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
AT_ONCE = max(4, 2 * (os.cpu_count() or 1))
"""Two runs for each core: while one waits, another computes."""
NO_TESTS = 5
"""pytest's exit code when the marks that were asked for leave a run without tests."""

running: set[subprocess.Popen[str]] = set()
printing = threading.Lock()


def runs_of(suite: str) -> dict[str, list[str]]:
    """pytest's arguments for each run of a suite, by the run's name."""
    names, _, parts = suite.partition(":")
    folders = names.split("+")
    if not parts:
        return {names: folders}
    files = sorted(str(path.relative_to(ROOT)) for each in folders for path in (ROOT / each).rglob("test_*.py"))
    count = int(parts)
    return {f"{names} {number + 1}/{count}": files[number::count] for number in range(count)}


def run(name: str, arguments: list[str]) -> bool:
    """Run pytest to its end and print its output; returns whether it passed."""
    started = time.monotonic()
    process = subprocess.Popen(  # noqa: S603 -- pytest, of this environment
        [sys.executable, "-P", "-m", "pytest", *arguments],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    running.add(process)
    output, _ = process.communicate()
    running.discard(process)
    has_passed = process.returncode in (0, NO_TESTS)
    with printing:
        verdict = "passed" if has_passed else "FAILED"
        print(f"=== {name}: {verdict} after {time.monotonic() - started:.0f} s\n{output}", flush=True)
    return has_passed


def main(suites: list[str]) -> int:
    runs = {name: arguments for suite in suites for name, arguments in runs_of(suite).items()}
    print(f"{len(runs)} runs of pytest, {AT_ONCE} at a time; each is printed when it has ended", flush=True)
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        passed = dict(zip(runs, pool.map(run, runs, runs.values()), strict=True))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running):
            process.send_signal(signal.SIGINT)  # pytest ends what its tests have started
        raise
    failed = [name for name, has_passed in passed.items() if not has_passed]
    print(f"failed: {', '.join(failed)}" if failed else f"all {len(runs)} runs passed")
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
