"""The saboteurs: one small change each that breaks one promise. `saboteurs.toml` lists them.

A saboteur names a function and a fragment of it, never a path: it stays valid when files move. Changes are made in a
copy of the repository only.
"""

import ast
import os
import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).parent / "saboteurs.toml"
ROOT = Path(__file__).parent.parent.parent
SUITES = {
    "shared_signing": "shared-signing",
    "shared_service": "shared-service",
    "casino": "casino-service",
    "provider": "provider-service",
    "local_stack": "deploy",
}
"""The folder with the sources and the tests of each package."""
OTHER_SUITES = (*SUITES.values(), "tests-e2e")


class StaleSaboteur(Exception):  # noqa: N818 - what it is
    """A function, a fragment or a test that a saboteur names is not there exactly once: change the entry."""


@dataclass(frozen=True, slots=True)
class Saboteur:
    """Replaces `old`, which stands once in the function `at`, by `new`; `tests` are files that should notice first.

    `at` is `casino.refusal_of` for SQL, and `provider.judging:judge` or `provider.client:Client.send` for
    Python. Folders may be left out as long as one file fits.
    """

    name: str
    at: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def suite(self) -> str:
        """The folder of the package that is broken."""
        return SUITES[self.at.partition(".")[0]]

    def source(self, root: Path) -> Path:
        """The file that holds the function."""
        package, _, module = self.at.partition(":")[0].partition(".")
        ending = f"{module.replace('.', '/')}{'.py' if ':' in self.at else '.sql'}"
        return self._only(root, f"{self.suite}/**/src/{package}/**/{ending}")

    def test_files(self, root: Path) -> list[str]:
        """`wallet/test_debits` is a file of the package's own suite, `tests-e2e/test_races` one of another suite."""
        found = []
        for test in self.tests:
            suite, _, rest = test.partition("/")
            ending = f"{suite}/**/{rest}" if suite in OTHER_SUITES else f"{self.suite}/**/{test}"
            found.append(self._only(root, f"{ending}.py").relative_to(root).as_posix())
        return found

    def _only(self, root: Path, pattern: str) -> Path:
        found = list(root.glob(pattern))
        if len(found) != 1:
            raise StaleSaboteur(f"{self.name}: {len(found)} files fit {pattern}")
        return found[0]

    def broken(self, text: str) -> str:
        """The file's text after the change."""
        first, end = self._lines(text)
        lines = text.splitlines(keepends=True)
        body = "".join(lines[first:end])
        if (found := body.count(self.old)) != 1:
            raise StaleSaboteur(f"{self.name}: {self.old!r} stands {found} times in {self.at}")
        return "".join([*lines[:first], body.replace(self.old, self.new), *lines[end:]])

    def _lines(self, text: str) -> tuple[int, int]:
        """First line and end of the function in the file, from 0. An SQL file holds one function."""
        _, is_python, function = self.at.partition(":")
        if not is_python:
            return 0, len(text.splitlines())
        node: ast.AST = ast.parse(text)
        for name in function.split("."):
            inner = [each for each in ast.iter_child_nodes(node) if _name_of(each) == name]
            if len(inner) != 1:
                raise StaleSaboteur(f"{self.name}: {name} is there {len(inner)} times")
            node = inner[0]
        assert isinstance(node, ast.stmt)
        return node.lineno - 1, node.end_lineno or node.lineno


def _name_of(node: ast.AST) -> str | None:
    """The name of a function, a class or an annotated constant."""
    if isinstance(node, ast.AnnAssign):
        return node.target.id if isinstance(node.target, ast.Name) else None
    return getattr(node, "name", None)


def load() -> list[Saboteur]:
    """Every saboteur of the list."""
    return [
        Saboteur(name, at, old, new, tuple(tests))
        for kind in tomllib.loads(LIST.read_text("utf-8")).values()
        for name, (at, old, new, *tests) in kind.items()
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
            saboteur.broken(saboteur.source(root).read_text("utf-8"))
            saboteur.test_files(root)
        except StaleSaboteur as error:
            wrong.append(str(error))
    return wrong


class Planted:
    """A saboteur at work in a copy of the repository, for as long as the `with` lasts."""

    def __init__(self, saboteur: Saboteur, copy: Path, *, age_seconds: int) -> None:
        self._saboteur = saboteur
        self._path = saboteur.source(copy)
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
