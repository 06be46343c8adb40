"""Half a request takes no capacity: whoever opens connections and sends no body must not keep money from moving.

Row D4. Row D3.
"""

import contextlib

import pytest

from e2e_testing.raw_wire import PATHS, connected, head_of
from e2e_testing.stack import Stack, StartStack

CAPACITY = 4
HALF_REQUESTS = 3 * CAPACITY


@pytest.fixture(scope="module")
def small(start_module_stack: StartStack) -> Stack:
    """Both services with little capacity."""
    return start_module_stack(
        casino_settings={"CASINO_REQUESTS_MAX": str(CAPACITY)},
        provider_settings={"PROVIDER_REQUESTS_MAX": str(CAPACITY), "PROVIDER_ROUNDS_MAX": "2"},
    )


@pytest.mark.parametrize("name", ["casino", "provider"])
def test_half_requests_of_anybody_keep_no_place_from_a_good_one(small: Stack, name: str) -> None:
    """They need no secret: the head alone used to hold a place for as long as a body may take."""
    session = small.session()
    with contextlib.ExitStack() as halves:
        for number in range(HALF_REQUESTS):
            wire = halves.enter_context(connected(small.services[name]))
            wire.send(head_of(PATHS[name][number % 2], "content-length: 100") + b'{"half":')
        session.bet()
        assert small.simulate(session.user_id).must_be_ok().content["passed"]
        assert session.get_balance().status == 200
