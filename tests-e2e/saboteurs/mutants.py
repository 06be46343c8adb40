"""`make mutants`: change the core modules statement by statement with mutmut, and list what no test notices.

python -m saboteurs.mutants [--only PART,PART] [--lanes N]

`mutants.toml` names the parts. Each is laid out anew in `build/mutants/<part>`, where mutmut's own commands work too.
Ends with 1 when a change survives that `mutants.toml` does not explain, or when it explains one that does not.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from saboteurs.catalogue import ROOT

LIST = Path(__file__).parent / "mutants.toml"
BUILD = ROOT / "build" / "mutants"
LANES = 2
TEST_SECONDS_MAX = 60
UNCHANGED_LINES = (r'raise \w+\(f?"',)
"""Sentences for people: a test must not break when one is reworded."""
NOT_NOTICED = ("survived", "no tests", "suspicious")


@dataclass(frozen=True, slots=True)
class Part:
    """Modules of one package and the tests that must notice a change in them.

    `beside` are folders that the tests read. `without` are tests that read the text of a module, which mutmut changes.
    `equivalent` maps a function to its changed statements that mean the same, each with the reason.
    """

    name: str
    source: str
    modules: Sequence[str]
    tests: Sequence[str]
    beside: Sequence[str] = ()
    without: Sequence[str] = ()
    equivalent: dict[str, dict[str, str]] | None = None

    @property
    def folder(self) -> Path:
        """Where the part is laid out for mutmut."""
        return BUILD / self.name

    def explained(self) -> set[tuple[str, str]]:
        """Function and statement of each change that no test can notice."""
        return {(function, change) for function, changes in (self.equivalent or {}).items() for change in changes}


@dataclass(frozen=True, slots=True)
class Survivor:
    """A change that no test noticed."""

    mutant: str
    function: str
    change: str


def load() -> list[Part]:
    """Every part of the list."""
    parts = tomllib.loads(LIST.read_text("utf-8"))
    return [Part(name, **part) for name, part in parts.items()]


def lay_out(part: Part, root: Path = ROOT) -> None:
    """Copy sources, tests and settings to where mutmut looks for them."""
    shutil.rmtree(part.folder, ignore_errors=True)
    package = Path(part.source).name
    _copy(root / part.source, part.folder / "src" / package)
    for path in [*(found for pattern in part.tests for found in root.glob(pattern)), *map(root.joinpath, part.beside)]:
        suite = next(parent for parent in path.parents if (parent / "pyproject.toml").is_file())
        for each in [path, *(parent / "conftest.py" for parent in path.parents if suite in parent.parents)]:
            if each.exists():
                _copy(each, part.folder / each.relative_to(suite))
    lines = [f"{name} = {json.dumps(value)}" for name, value in _settings(part, package).items()]
    text = (root / "pyproject.toml").read_text("utf-8") + "\n[tool.mutmut]\n" + "\n".join(lines) + "\n"
    (part.folder / "pyproject.toml").write_text(text, "utf-8")


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        shutil.copy(path, target)


def _settings(part: Part, package: str) -> dict[str, object]:
    options = ["-p", "no:cacheprovider", "--hypothesis-seed=0", f"--timeout={TEST_SECONDS_MAX}"]
    return {
        "source_paths": ["src"],
        "only_mutate": [f"src/{package}/{module}" for module in part.modules],
        "also_copy": [Path(each).name for each in part.beside],
        "pytest_add_cli_args": [*options, *(f"--deselect={test}" for test in part.without)],
        "pytest_add_cli_args_test_selection": ["tests"],
        "do_not_mutate_patterns": list(UNCHANGED_LINES),
        "use_git_change_detection": False,
    }


def survivors(part: Part) -> list[Survivor]:
    """What mutmut's run has left alive."""
    found = []
    for line in _mutmut(part, "results").splitlines():
        mutant, _, status = line.strip().rpartition(": ")
        if status not in NOT_NOTICED:
            continue
        diff = _mutmut(part, "show", mutant).splitlines()
        added = [line[1:].strip() for line in diff if line.startswith("+") and not line.startswith("+++")]
        found.append(Survivor(mutant, function_of(mutant), " ".join(added)))
    return found


def function_of(mutant: str) -> str:
    """`package.module.x_name__mutmut_3` is `name`, `package.module.xǁThingǁdo__mutmut_3` is `Thing.do`."""
    name = mutant.rpartition(".")[2].rpartition("__mutmut_")[0]
    return name[2:].replace("ǁ", ".") if name.startswith("xǁ") else name.removeprefix("x_")


def _mutmut(part: Part, *arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=part.folder, check=True, capture_output=True, text=True).stdout


def run(part: Part, *, lanes: int) -> bool:
    """Run one part, and print what survived; True when all of that is explained."""
    lay_out(part)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(lanes)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    with (part.folder / "mutmut.log").open("w") as log:
        ended = subprocess.run(command, cwd=part.folder, env=environment, stdout=log, stderr=log, check=False)
    if ended.returncode:
        print(f"{part.name}: mutmut ended with {ended.returncode}; see {part.folder / 'mutmut.log'}")
        return False
    alive = survivors(part)
    explained = part.explained()
    unexplained = [each for each in alive if (each.function, each.change) not in explained]
    stale = explained - {(each.function, each.change) for each in alive}
    for each in unexplained:
        print(f"SURVIVED {each.mutant}\n         {each.change}")
    for function, change in sorted(stale):
        print(f"NOTICED  {function}: {change}  (mutants.toml explains why it would survive)")
    print(f"{part.name}: {len(unexplained)} unexplained of {len(alive)} that survived", flush=True)
    return not unexplained and not stale


def chosen(parts: Sequence[Part], only: Sequence[str]) -> list[Part]:
    """Those that are named, or all."""
    if unknown := set(only) - {part.name for part in parts}:
        raise SystemExit(f"no such part: {', '.join(sorted(unknown))}")
    return [part for part in parts if not only or part.name in only]


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=[], type=lambda text: [name for name in text.split(",") if name])
    parser.add_argument("--lanes", type=int, default=LANES)
    options = parser.parse_args()
    results = [run(part, lanes=options.lanes) for part in chosen(load(), options.only)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
