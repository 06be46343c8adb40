"""A folder with modules of a stranger, under names that our programs import."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = (
    "anyio", "casino", "click", "json", "local_stack", "msgspec", "multiprocessing", "provider", "psycopg", "runpy",
    "shared_service", "shared_signing", "starlette", "structlog", "uvicorn", "uvloop",
)  # fmt: skip


@contextmanager
def strangers(parent: Path) -> Iterator[Path]:
    """Context manager: the folder. In the end none of its modules must have been imported."""
    folder, imported = parent / "strangers", parent / "imported"
    folder.mkdir()
    for name in NAMES:
        says_so = f"open({str(imported)!r}, 'a').write({name!r} + ' ')"
        (folder / f"{name}.py").write_text(f"{says_so}\nraise ImportError('a module of a stranger')\n")
    yield folder
    assert not imported.exists(), imported.read_text()
