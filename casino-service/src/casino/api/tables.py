"""Tables as CSV (RFC 4180), in which no text is taken for a formula by a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.responses import Response

CSV: Final = "text/csv"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
Cell = str | int | float | None


def wants_csv(accept: str | None) -> bool:
    """Returns whether an accept header asks for CSV."""
    return any(each.split(";")[0].strip().lower() == CSV for each in (accept or "").split(","))


def csv_answer(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Returns the answer with a table. Numbers stay numbers; a text that begins like a formula gets an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return Response(text.getvalue(), media_type=CSV, headers={"cache-control": "no-store"})


def _safe(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
