"""docs/reliability.md and docs/proofs.md: promises have rows, rows have tests, and no test that is named is gone."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROMISES, PROOFS = ROOT / "docs" / "reliability.md", ROOT / "docs" / "proofs.md"
WANTED_ROWS = [
    *(f"A{number}" for number in (1, 2, 3, 4, 8, 9, 11, 13)),
    *(f"B{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12)),
    *(f"C{number}" for number in (1, 2, 3)),
    *(f"D{number}" for number in (1, 3, 4, 5, 6, 9)),
    *(f"E{number}" for number in range(1, 8)),
    *(f"G{number}" for number in (1, 2, 3, 7, 8)),
    *("H1", "H3"),
]
PROMISES_MADE = 12
PITFALLS = [*(str(number) for number in range(1, 35)), "3b", "15b"]
LINK = re.compile(r"\[([\w./-]+\.py)\]\(\.\./([\w./-]+)\)([^<|;]*)")
TEST = re.compile(r"`(test_\w+)`")


def table_rows() -> dict[str, str]:
    """The cells after the first of every table row, by the first."""
    rows = {}
    for line in PROOFS.read_text("utf-8").splitlines():
        if line.startswith("| "):
            first, rest = line.strip("| ").split(" | ", 1)
            rows[first] = rest
    return rows


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds) and node.name.startswith("test_")}


def test_the_pages_are_what_the_tests_and_the_model_say() -> None:
    command = [sys.executable, str(ROOT / "docs" / "render_reliability.py"), "--check"]
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}  # a copy of the checkout may not be installed
    checked = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_every_promise_is_proved_by_rows_that_name_a_test() -> None:
    promises = re.findall(r"^\| (\d+) \| .* \| ([^|]+) \|$", PROMISES.read_text("utf-8"), re.M)
    assert [int(number) for number, _ in promises] == list(range(1, PROMISES_MADE + 1))
    rows = table_rows()
    for number, named in promises:
        assert not [row for row in named.split(", ") if not LINK.search(rows.get(row, ""))], number


def test_every_wanted_row_names_a_test() -> None:
    rows = table_rows()
    assert {row for row in WANTED_ROWS if not LINK.search(rows.get(row, ""))} == set()


def test_every_pitfall_names_a_test_or_a_row_or_where_it_belongs() -> None:
    rows, proven = table_rows(), r"\brows? ([A-H]\d+)|\]\(\.\./|belongs to"
    assert {number for number in PITFALLS if not re.search(proven, rows.get(number, ""))} == set()
    named = {
        row
        for number in PITFALLS
        for cell in [rows[number].split(" | ")[1]]
        for row in re.findall(r"\b[A-H]\d+\b", cell)
    }
    assert named <= set(WANTED_ROWS)


def test_every_test_that_the_page_names_exists() -> None:
    links = LINK.findall(PROOFS.read_text("utf-8"))
    assert len(links) > len(WANTED_ROWS)
    for shown, target, rest in links:
        assert shown == target
        assert set(TEST.findall(rest)) <= names_in(ROOT / target), target
        assert names_in(ROOT / target), f"{target} holds no test"


def test_every_mark_in_the_tests_is_on_the_page() -> None:
    """By another reading than the page's own: each line of a test file that begins a mark."""
    rows, marked = table_rows(), 0
    for folder in (
        "shared-signing/tests",
        "shared-service/tests",
        "casino-service/tests",
        "provider-service/tests",
        "tests-e2e",
    ):
        for path in (ROOT / folder).rglob("test_*.py"):
            for row in re.findall(r"\bRow ([A-HJ]\d+)\b", path.read_text("utf-8")):
                marked += 1
                assert str(path.relative_to(ROOT)) in rows.get(row, ""), f"{row} in {path}: run make docs"
    assert marked > len(WANTED_ROWS)
