"""What the tests of sockets share: a server in this process that answers what it was asked."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from echoing import Echo, serving


@pytest.fixture(scope="session")
def echo() -> Iterator[Echo]:
    """A server with the bounds of production."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of asynchronous tests."""
    return "asyncio"
