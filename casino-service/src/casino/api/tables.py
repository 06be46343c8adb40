"""Tables as CSV (RFC 4180), in which no text is taken for a formula by a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.responses import Response

CSV: Final = "text/csv"
JSON: Final = "application/json"
_QUALITY: Final = re.compile(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
Cell = str | int | float | None


def wants_csv(accept: str | None) -> bool:
    """Returns whether an accept header names CSV, and likes it at least as much as JSON (RFC 9110, 12.5.1)."""
    liked = dict(_range_of(each) for each in (accept or "").split(","))
    of_csv = liked.get(CSV, liked.get("text/*", 0.0))
    of_json = liked.get(JSON, liked.get("application/*", liked.get("*/*", 0.0)))
    return of_csv > 0 and of_csv >= of_json


def csv_answer(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Returns the answer with a table. Numbers stay numbers; a text that begins like a formula gets an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return Response(text.getvalue(), media_type=CSV, headers={"cache-control": "no-store"})


def _range_of(text: str) -> tuple[str, float]:
    """Returns a media range and its quality: 1 when none is given, 0 when it cannot be read."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    given = [part for part in parameters if part.startswith("q=")]
    if not given:
        return name, 1.0
    return name, float(given[0][2:]) if _QUALITY.fullmatch(given[0]) else 0.0


def _safe(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
