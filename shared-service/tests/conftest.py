"""Shared by the tests: a server in this process that answers with the request it received."""

from collections.abc import Iterator

import pytest

from shared_service_testing.drawing import load_profile
from shared_service_testing.echoing import Echo, serving

load_profile()


@pytest.fixture(scope="session")
def echo() -> Iterator[Echo]:
    """A server with the bounds of production."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of asynchronous tests."""
    return "asyncio"
