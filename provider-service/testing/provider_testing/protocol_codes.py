"""Reads the codes and statuses from docs/protocol.md."""

from __future__ import annotations

import re
from pathlib import Path

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"


def section(number: int) -> str:
    """The text of one section."""
    text = PROTOCOL.read_text(encoding="utf-8")
    found = re.search(rf"^## {number}\. .*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"protocol.md has no section {number}"
    return found.group()


def codes_by_status() -> dict[str, int]:
    """Every code of section 6 with its status."""
    found: dict[str, int] = {}
    for row in re.findall(r"^\| (\d{3}[\d, ]*) \| (.*?) \| .*? \|$", section(6), re.MULTILINE):
        statuses = [int(status) for status in row[0].split(",")]
        codes = re.findall(r"`([a-z][a-z_]+)`", row[1].partition(" with ")[0])
        pairs = zip(codes, statuses if len(statuses) > 1 else statuses * len(codes), strict=True)
        found |= dict(pairs)
    return found
