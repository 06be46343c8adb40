"""Bounds the packages and modules of the library: see docs/decisions/0023-packages-of-the-library.md."""

from pathlib import Path

import pytest

import shared_service

ROOT = Path(shared_service.__file__).parent
MODULES_MAX = 8
LINES_MAX = 250


@pytest.mark.parametrize(
    "package", sorted(path.parent for path in ROOT.glob("*/__init__.py")), ids=lambda path: path.name
)
def test_a_package_has_few_modules_and_each_has_an_end(package: Path) -> None:
    modules = [path for path in package.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MODULES_MAX
    assert {
        path.name: lines for path in modules if (lines := len(path.read_text("utf-8").splitlines())) > LINES_MAX
    } == {}


def test_every_module_is_in_a_package() -> None:
    assert [path.name for path in ROOT.glob("*.py")] == ["__init__.py"]
