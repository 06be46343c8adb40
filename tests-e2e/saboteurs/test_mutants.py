"""`mutants.toml` fits the repository, and a part is laid out with what mutmut needs. `make mutants` runs it."""

import tomllib
from pathlib import Path

import pytest

from saboteurs import mutants
from saboteurs.catalogue import ROOT
from saboteurs.mutants import Part, chosen, function_of, lay_out, load


@pytest.mark.parametrize("part", load(), ids=lambda part: part.name)
def test_every_part_names_modules_and_tests_that_are_there(part: Part) -> None:
    for pattern in part.modules:
        assert list((ROOT / part.source).glob(pattern)), pattern
    for pattern in (*part.tests, *part.beside):
        assert list(ROOT.glob(pattern)), pattern


def test_a_part_is_laid_out_with_sources_tests_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "BUILD", tmp_path)
    (part,) = chosen(load(), ["signing"])
    lay_out(part)
    for path in ("src/shared_signing/canonical.py", "tests/conftest.py", "tests/test_canonical.py", "vectors"):
        assert (part.folder / path).exists(), path
    settings = tomllib.loads((part.folder / "pyproject.toml").read_text())["tool"]["mutmut"]
    assert "src/shared_signing/canonical.py" in settings["only_mutate"]


def test_a_part_that_is_not_there_is_refused() -> None:
    with pytest.raises(SystemExit, match="nobody"):
        chosen(load(), ["nobody"])


@pytest.mark.parametrize(
    ("mutant", "function"),
    [
        ("package.module.x_judge__mutmut_3", "judge"),
        ("package.module.x__judge__mutmut_12", "_judge"),
        ("package.module.xǁThingǁ__init____mutmut_1", "Thing.__init__"),
    ],
)
def test_the_function_of_a_mutant_is_in_its_name(mutant: str, function: str) -> None:
    assert function_of(mutant) == function
