"""Characters that editors and env files add to a value are refused, with the variable's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared_service.settings.reader import Reader

VALUE = "postgresql://some.host/canary"
KINDS: dict[str, Callable[[Reader], object]] = {
    "secret": lambda reader: reader.secret("X"),
    "secret document": lambda reader: reader.secret_document("X"),
    "database": lambda reader: reader.database("X"),
    "text": lambda reader: reader.text("X"),
    "identifier": lambda reader: reader.identifier("X", ""),
}
SPOILED = {
    "byte order mark": f"\ufeff{VALUE}",
    "double quotes": f'"{VALUE}"',
    "single quotes": f"'{VALUE}'",
    "empty quotes": '""',
}


@pytest.mark.parametrize("spoiled", SPOILED.values(), ids=SPOILED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_variable_with_what_an_env_file_has_added_is_refused(kind: str, spoiled: str) -> None:
    reader = Reader({"X": spoiled})
    KINDS[kind](reader)
    assert [problem.split()[0] for problem in reader.problems] == ["X"]
    assert "canary" not in reader.problems[0]


@pytest.mark.parametrize("spoiled", SPOILED.values(), ids=SPOILED)
@pytest.mark.parametrize("kind", ["secret", "secret document", "database"])
def test_a_file_with_what_an_editor_has_added_is_refused(tmp_path: Path, kind: str, spoiled: str) -> None:
    file = tmp_path / "value"
    file.write_text(f"{spoiled}\n", "utf-8")
    reader = Reader({"X_FILE": str(file)})
    KINDS[kind](reader)
    assert [problem.split()[0] for problem in reader.problems] == ["X_FILE"]
    assert "canary" not in reader.problems[0]


@pytest.mark.parametrize("whole", ['a"b"', '"a" and b', "it's", '"', "a\ufeffb"])
def test_a_quote_or_a_mark_within_a_secret_is_part_of_it(whole: str) -> None:
    reader = Reader({"X": whole})
    assert (reader.secret("X"), reader.problems) == (whole, [])
