"""A test run kills and reports processes that it left behind, also orphans."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from local_stack import leftovers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

LEAVES_AN_ORPHAN = """
import subprocess

def test_that_passes():
    subprocess.run(["sh", "-c", "sleep 611 & exit 0"], check=True)
"""
IMPATIENT = """
from local_stack import leftovers
leftovers.end_leftovers.__kwdefaults__["patience_seconds"] = 0.0
"""


def start_orphan(run: str) -> int:
    """A process whose parent has ended; returns its pid."""
    environment = {**os.environ, leftovers.MARK: run}
    told = subprocess.run(
        ["sh", "-c", "sleep 612 >/dev/null 2>&1 & echo $!"], env=environment, check=True, capture_output=True, text=True
    )
    return int(told.stdout)


def test_an_orphan_of_the_run_is_ended_and_named_and_others_are_let_alone() -> None:
    ours, others = uuid.uuid4().hex, uuid.uuid4().hex
    left, stranger = start_orphan(ours), start_orphan(others)
    try:
        assert leftovers.end_leftovers(ours, patience_seconds=0.0) == [f"{left}: sleep 612"]
        assert leftovers.end_leftovers(ours) == []
        assert leftovers.leftovers(others) == {stranger: "sleep 612"}
    finally:
        assert len(leftovers.end_leftovers(others, patience_seconds=0.0)) == 1


def test_what_ends_by_itself_is_waited_for() -> None:
    run = uuid.uuid4().hex
    with subprocess.Popen(["sleep", "0.3"], env={**os.environ, leftovers.MARK: run}):
        assert leftovers.end_leftovers(run, patience_seconds=60.0) == []


def test_a_run_that_leaves_a_process_behind_fails_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(LEAVES_AN_ORPHAN)
    (tmp_path / "conftest.py").write_text(IMPATIENT)
    arguments = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    inner = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in inner.stdout
    assert "sleep 611" in inner.stdout
    assert inner.returncode == 1
