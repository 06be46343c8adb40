"""The saboteurs: one small change each that breaks one promise, written down as old text and new text.

Owns reading `*.toml` beside this file and putting a change into a copy. It must never touch the working tree.
"""

import os
import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class StaleSaboteur(Exception):  # noqa: N818 - what it is
    """The text that a saboteur changes is not there exactly once: the code has moved on, and it must follow."""


@dataclass(frozen=True, slots=True)
class Saboteur:
    """`breaks` says in one sentence what goes wrong; `tests` (files, or `file::test`) should notice first."""

    name: str
    file: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...]

    @property
    def suite(self) -> str:
        """The suite of the package that is broken."""
        return next(part for part in SUITES if self.file.startswith(f"{part}/"))

    def broken(self, text: str) -> str:
        """The file's text after the change."""
        if (found := text.count(self.old)) != 1:
            raise StaleSaboteur(f"{self.name}: its old text stands {found} times in {self.file}")
        return text.replace(self.old, self.new)


SUITES = ("shared-signing", "shared-service", "casino-service", "provider-service", "deploy")


def load() -> list[Saboteur]:
    """Every saboteur, file by file."""
    return [
        Saboteur(**{**entry, "tests": tuple(entry["tests"])})
        for path in sorted(HERE.glob("*.toml"))
        for entry in tomllib.loads(path.read_text("utf-8"))["saboteur"]
    ]


def chosen(saboteurs: Sequence[Saboteur], *, only: Sequence[str], sample: int | None, seed: str) -> list[Saboteur]:
    """Those that are named, or a sample of them that is the same for the same seed."""
    by_name = {saboteur.name: saboteur for saboteur in saboteurs}
    if unknown := [name for name in only if name not in by_name]:
        raise SystemExit(f"no such saboteur: {', '.join(unknown)}")
    picked = [by_name[name] for name in only] if only else list(saboteurs)
    if sample is None:
        return picked
    return random.Random(seed).sample(picked, min(sample, len(picked)))


def stale_among(saboteurs: Sequence[Saboteur], root: Path) -> list[str]:
    """What is wrong with those that no longer fit the code."""
    wrong = []
    for saboteur in saboteurs:
        try:
            saboteur.broken((root / saboteur.file).read_text("utf-8"))
        except (StaleSaboteur, FileNotFoundError) as error:
            wrong.append(str(error))
        wrong += [f"{saboteur.name}: there is no {test}" for test in saboteur.tests if not _is_there(test, root)]
    return wrong


def _is_there(test: str, root: Path) -> bool:
    path, _, name = test.partition("::")
    return (root / path).is_file() and f"def {name}" in (root / path).read_text("utf-8")


class Planted:
    """A saboteur at work in a copy of the repository, for as long as the `with` lasts."""

    def __init__(self, saboteur: Saboteur, copy: Path, *, age_seconds: int) -> None:
        self._saboteur = saboteur
        self._path = copy / saboteur.file
        # Compiled files are known by their source's time in whole seconds: two changes within one must differ in it.
        self._age_seconds = age_seconds

    def __enter__(self) -> None:
        self._status = self._path.stat()
        self._clean = self._path.read_text("utf-8")
        self._path.write_text(self._saboteur.broken(self._clean), "utf-8")
        changed = self._status.st_mtime + self._age_seconds
        os.utime(self._path, (changed, changed))

    def __exit__(self, *_: object) -> None:
        self._path.write_text(self._clean, "utf-8")
        os.utime(self._path, (self._status.st_atime, self._status.st_mtime))
