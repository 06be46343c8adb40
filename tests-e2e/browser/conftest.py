"""A browser, people in front of it, and an operator's tree on the shared stack."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from e2e_testing.browser import OPTIONS, Visitor, browser_of, chromium, log_in_at_desk, username_of
from e2e_testing.platform_staff import Operator, operator_of
from e2e_testing.stack import Stack
from shared_service_testing.sampling import IS_NIGHTLY

StartVisitor = Callable[..., Visitor]
IN_EVERY_RUN = ("test_journey.py", "test_look.py")
"""The other files play with NIGHTLY=1, as in `make test-browser`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    others = pytest.mark.skip(reason="make test-browser, or NIGHTLY=1")
    for item in items:
        if not IS_NIGHTLY and item.path.parent == Path(__file__).parent and item.path.name not in IN_EVERY_RUN:
            item.add_marker(others)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a file; each person has a context of their own.

    It ends with the file: while it runs, no test of another file can use an event loop in this thread.
    """
    with browser_of(chromium()) as started:
        yield started


@pytest.fixture(scope="module")
def large_print(browser: Browser) -> Browser:
    """A browser whose owner reads text of twice the size."""
    return browser.browser_type.launch(
        executable_path=chromium(), args=[*OPTIONS, "--blink-settings=defaultFontSize=32"]
    )


@pytest.fixture(scope="session")
def operator(stack: Stack) -> Operator:
    """A tree of tenants whose agent has a float."""
    if stack.database is None:
        pytest.skip("against compose: the owner is made by a command on the stack's machine")
    return operator_of(stack.casino_process)


@pytest.fixture
def visit(browser: Browser, stack: Stack) -> Iterator[StartVisitor]:
    """Starts people. At the end no page of theirs has complained of anything that the test does not expect."""
    started: list[Visitor] = []

    def start(*, of: Browser = browser, **options: Any) -> Visitor:
        started.append(Visitor.at(of, stack, **options))
        return started[-1]

    yield start
    complaints = [each for visitor in started for each in visitor.unexpected()]
    for visitor in started:
        visitor.context.close()
    assert complaints == []


@pytest.fixture
def cashier(visit: StartVisitor, operator: Operator) -> Visitor:
    """A cashier who is logged in at the desk."""
    visitor = visit()
    log_in_at_desk(visitor, username_of(operator, "cashier"))
    return visitor
