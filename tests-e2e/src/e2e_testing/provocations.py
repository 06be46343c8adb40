"""A plugin for pytest: `@pytest.mark.provokes("code", …)` names the refusals that a test sees come from a real service.

A marked test fails unless it has seen each of them. `--named-codes` prints, for each collected test, what it names.
"""

from collections.abc import Generator

import pytest

from e2e_testing.answers import CODES_SEEN


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--named-codes", action="store_true", help="print the codes that each collected test provokes")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "provokes(*codes): the test sees these refusals come from a real service")


def codes_of(item: pytest.Item) -> set[str]:
    return {code for mark in item.iter_markers("provokes") for code in mark.args}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    CODES_SEEN.clear()
    yield
    unseen = codes_of(item) - CODES_SEEN
    assert not unseen, f"the test names refusals that it has not seen: {sorted(unseen)}"


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.getoption("named_codes"):
        for item in session.items:
            if codes := codes_of(item):
                print(f"{item.nodeid} provokes: {' '.join(sorted(codes))}")
