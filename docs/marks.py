"""Finds in the tests what they say that they prove: `Row A1.` and `Pitfall 2.` in docstrings and comments.

docs/render_reliability.py decides what has to be proven.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SUITES = (
    "shared-signing/tests",
    "shared-service/tests",
    "casino-service/tests",
    "provider-service/tests",
    "deploy/local/tests",
    "tests-e2e",
)
_LIST = r"(?:(?:,\s*(?:and\s+)?|\s+and\s+){0})*"
ROW = re.compile(r"\brows?\s+([A-HJ]\d+" + _LIST.format(r"[A-HJ]\d+") + r")\b", re.IGNORECASE)
PITFALL = re.compile(r"\bpitfalls?\s+(\d+b?" + _LIST.format(r"\d+b?") + r")\b", re.IGNORECASE)
ONE = re.compile(r"[A-HJ]?\d+b?")


@dataclass(frozen=True, slots=True, order=True)
class Proof:
    """A test, or a whole file of tests when `test` is empty."""

    path: str
    test: str


def marks() -> dict[str, set[Proof]]:
    """Proofs by row (`A1`) and pitfall (`2`). A mark outside any test stands for its file, if that holds tests."""
    found: dict[str, set[Proof]] = defaultdict(set)
    for suite in SUITES:
        for path in sorted((ROOT / suite).rglob("test_*.py")):
            name = str(path.relative_to(ROOT))
            for test, text in _pieces(path.read_text("utf-8")):
                for mark in marks_in(text):
                    found[mark].add(Proof(name, test))
    return found


def marks_in(text: str) -> Iterator[str]:
    """The rows and pitfalls that a text names."""
    for pattern in (ROW, PITFALL):
        for match in pattern.finditer(text):
            yield from ONE.findall(match[1])


def tests_in(path: Path) -> set[str]:
    """The names of the tests of a file."""
    return {test for test, _ in _pieces(path.read_text("utf-8")) if test}


def _pieces(source: str) -> Iterator[tuple[str, str]]:
    """Every test with its text, and the rest of the file as the text of no test."""
    lines, taken = source.splitlines(), set[int]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            span = range(first - 1, node.end_lineno or first)
            taken.update(span)
            yield node.name, "\n".join(lines[number] for number in span)
    yield "", "\n".join(line for number, line in enumerate(lines) if number not in taken)
