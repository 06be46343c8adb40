"""Runs tests in a copy of the repository and says which one failed, and how.

A saboteur is caught when a test fails while it runs or in the checks of its fixtures.
A copy that cannot be set up, imported or collected does not count, because no test has run.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

LEFT_OUT = (".git", ".venv", ".state", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")
SOURCES = (
    "shared-signing/src",
    "shared-service/src",
    "casino-service/src",
    "provider-service/src",
    "deploy/local/src",
    "tests-e2e/src",
    "tests-e2e",
)
TEST_SECONDS_MAX = 100
"""A test that hangs fails. Waits of the tests themselves end after 60 s, and say what for."""
ABORT_SECONDS = 10
UNSET = ("PYTHONPATH", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run of tests said. `failed` names the test that failed, `spoilt` why the run proves nothing."""

    passed: int = 0
    failed: str | None = None
    reason: str = ""
    spoilt: str | None = None


def copy_repository(root: Path, target: Path) -> None:
    """What a test run needs: sources, tests, documents; not what was built or stored."""
    shutil.copytree(root, target, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)


def run_tests(copy: Path, tests: Sequence[str], *, seconds: float, stop_at_first: bool = True) -> Verdict:
    """Run tests (files, folders or single ones) of the copy against the sources of the copy."""
    with tempfile.TemporaryDirectory(prefix="verdict-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--timeout={TEST_SECONDS_MAX}"]
        command += ["-o", "junit_family=xunit1", f"--junitxml={report}", "--maxfail", "1" if stop_at_first else "1000"]
        environment = {name: value for name, value in os.environ.items() if name not in UNSET}
        environment["PYTHONPATH"] = os.pathsep.join(str(copy / source) for source in SOURCES)
        output = _run([*command, *tests], copy, environment, seconds)
        if output is None:
            return Verdict(spoilt=f"no end within {seconds:.0f} s")
        if not report.exists():
            return Verdict(spoilt=f"no report: {output[-500:]}")
        return read_report(ElementTree.parse(report).getroot())


def _run(command: list[str], copy: Path, environment: dict[str, str], seconds: float) -> str | None:
    process = subprocess.Popen(
        command, cwd=copy, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)  # pytest ends its servers
        try:
            process.communicate(timeout=ABORT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        return None


def read_report(report: Any) -> Verdict:
    """The verdict in pytest's own report: the first failure that is a test's, else why nothing was judged."""
    passed, spoilt = 0, None
    for case in report.iter("testcase"):
        failure, error, skipped = case.find("failure"), case.find("error"), case.find("skipped")
        if failure is not None:
            return Verdict(passed, _name_of(case), _reason(failure))
        if error is not None:
            if error.get("message", "").startswith("failed on teardown"):
                return Verdict(passed, _name_of(case), _reason(error))
            spoilt = spoilt or f"{_name_of(case)}: {_reason(error)}"
        elif skipped is None:
            passed += 1
    return Verdict(passed, spoilt=spoilt if spoilt or passed else "no test ran")


def _name_of(case: Any) -> str:
    return f"{case.get('file', case.get('classname'))}::{case.get('name')}"


def _reason(element: Any) -> str:
    return " ".join(element.get("message", "").split())[:160]
