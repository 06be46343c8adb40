"""The saboteurs fit the code, and their trial counts only what a test has judged. `make saboteurs` tries them out."""

from collections import Counter
from pathlib import Path

import pytest

from saboteurs.catalogue import ROOT, Planted, Saboteur, chosen, load, stale_among
from saboteurs.trial import Verdict, run_tests

SABOTEURS_MIN = 55
TRIAL_SECONDS = 120


def saboteur(**changed: object) -> Saboteur:
    fields = {"name": "name", "at": "casino.part:Thing.do", "old": "1", "new": "2", "tests": ("test_part",)}
    return Saboteur(**{**fields, **changed})  # type: ignore[arg-type]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one function, and the test file that a saboteur of it names."""
    path = tmp_path / "casino-service" / "src" / "casino" / "slice" / "part.py"
    path.parent.mkdir(parents=True)
    path.write_text("x = 1\nclass Thing:\n    def do(self):\n        return 1\n    def undo(self):\n        return 1\n")
    (tmp_path / "casino-service" / "tests").mkdir()
    (tmp_path / "casino-service" / "tests" / "test_part.py").touch()
    return path


def test_every_saboteur_still_finds_what_it_changes_and_who_should_notice() -> None:
    assert stale_among(load(), ROOT) == []


def test_every_saboteur_changes_something_and_no_two_are_the_same() -> None:
    found = load()
    assert len(found) >= SABOTEURS_MIN
    assert [name for name, count in Counter(each.name for each in found).items() if count > 1] == []
    assert len({(each.at, each.old, each.new) for each in found}) == len(found)
    for each in found:
        assert each.old != each.new, each.name
        assert each.tests, each.name


def test_only_the_named_function_is_changed(source: Path, tmp_path: Path) -> None:
    assert stale_among([saboteur()], tmp_path) == []
    before = source.read_text()
    assert saboteur().source(tmp_path) == source
    assert saboteur().broken(before) == before.replace("return 1", "return 2", 1)
    assert saboteur().test_files(tmp_path) == ["casino-service/tests/test_part.py"]


@pytest.mark.parametrize(
    "changed",
    [
        {"old": "3"},
        {"old": "e"},
        {"at": "casino.part:Thing.redo"},
        {"at": "casino.other:Thing.do"},
        {"at": "casino.part"},
        {"at": "provider.part:Thing.do"},
        {"tests": ("test_other",)},
        {"tests": ("tests-e2e/test_part",)},
    ],
)
def test_what_is_not_there_exactly_once_is_stale(source: Path, tmp_path: Path, changed: dict[str, object]) -> None:
    assert len(stale_among([saboteur(**changed)], tmp_path)) == 1


def test_a_name_that_two_files_fit_is_stale(source: Path, tmp_path: Path) -> None:
    (tmp_path / "casino-service" / "src" / "casino" / "part.py").write_text(source.read_text())
    assert len(stale_among([saboteur()], tmp_path)) == 1
    assert stale_among([saboteur(at="casino.slice.part:Thing.do")], tmp_path) == []


def test_a_saboteur_works_in_the_copy_for_as_long_as_it_is_planted(source: Path, tmp_path: Path) -> None:
    before, clean = source.stat().st_mtime, source.read_text()
    with Planted(saboteur(), tmp_path, age_seconds=10):
        assert source.read_text() != clean
        assert int(source.stat().st_mtime) != int(before), "a compiled file would be taken for up to date"
    assert (source.read_text(), source.stat().st_mtime) == (clean, before)


def test_a_seed_chooses_the_same_sample_again() -> None:
    found = load()
    sample = chosen(found, only=[], sample=4, seed="abc")
    assert sample == chosen(found, only=[], sample=4, seed="abc")
    assert len(sample) == 4
    assert sample != chosen(found, only=[], sample=4, seed="abd")
    assert chosen(found, only=[found[3].name], sample=None, seed="") == [found[3]]
    with pytest.raises(SystemExit):
        chosen(found, only=["nobody"], sample=None, seed="")


FIXTURE = """import pytest
@pytest.fixture
def thing():
    {before}
    yield
    {after}
def test_it(thing):
    {test}
"""
TRIALS: dict[str, tuple[str, Verdict | str | None]] = {
    "passes": (FIXTURE.format(before="pass", after="pass", test="pass"), Verdict(passed=1)),
    "assertion": (FIXTURE.format(before="pass", after="pass", test="assert 1 == 2"), "assert 1 == 2"),
    "teardown": (FIXTURE.format(before="pass", after="assert 3 == 4", test="pass"), "assert 3 == 4"),
    "setup": (FIXTURE.format(before="assert 5 == 6", after="pass", test="pass"), None),
    "syntax": ("def broken(:\n", None),
    "skipped": ("import pytest\ndef test_it():\n    pytest.skip('no')\n", None),
}


@pytest.mark.parametrize("name", TRIALS)
def test_only_a_test_that_fails_has_caught_anything(tmp_path: Path, name: str) -> None:
    content, expected = TRIALS[name]
    (tmp_path / "test_one.py").write_text(content)
    verdict = run_tests(tmp_path, ["test_one.py"], seconds=TRIAL_SECONDS)
    if isinstance(expected, Verdict):
        assert verdict == expected
    elif expected is None:
        assert (verdict.failed, bool(verdict.spoilt)) == (None, True)
    else:
        assert verdict.failed == "test_one.py::test_it"
        assert expected in verdict.reason


def test_a_run_without_an_end_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("import time\ndef test_it():\n    time.sleep(600)\n")
    verdict = run_tests(tmp_path, ["test_one.py"], seconds=2)
    assert (verdict.failed, verdict.spoilt) == (None, "no end within 2 s")
