"""Events that anybody can cause are logged at a bounded rate, and all are counted."""

import asyncio
from dataclasses import dataclass, field

import structlog
from structlog.testing import capture_logs

from shared_service.run.bounded_log import WINDOW_SECONDS, BoundedLog

PATIENCE_SECONDS = 30.0
"""Only stops a test that hangs."""


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.log = BoundedLog(structlog.get_logger(), lines_max=3, monotonic=self.clock)


def test_the_first_lines_are_whole_and_the_others_become_one_line_with_their_number() -> None:
    bench = Bench()
    with capture_logs() as lines:
        for number in range(100):
            bench.log.info("refused", code="a", number=number)
        bench.clock.now += WINDOW_SECONDS
        bench.log.info("refused", code="a", number=100)
    assert [line.get("number") for line in lines] == [0, 1, 2, None, 100]
    assert lines[3] == {"event": "refused", "code": "a", "lines_left_out": 97, "log_level": "info"}


def test_a_flood_of_one_code_hides_no_other() -> None:
    bench = Bench()
    with capture_logs() as lines:
        for _ in range(100):
            bench.log.warning("refused", code="a")
        bench.log.info("refused", code="b")
        bench.log.info("closed")
    assert [(line["event"], line.get("code")) for line in lines[3:]] == [("refused", "b"), ("closed", None)]


def test_every_line_is_written_or_counted_and_the_rate_is_bounded() -> None:
    bench = Bench()
    with capture_logs() as lines:
        for _ in range(1000):
            bench.clock.now += 0.01
            bench.log.info("refused", code="a")
        bench.log.flush()
    assert sum(line.get("lines_left_out", 1) for line in lines) == 1000
    assert len(lines) <= 11 * (3 + 1)


async def test_the_number_is_written_although_no_further_line_comes() -> None:
    async def flood_and_wait() -> None:
        log = BoundedLog(structlog.get_logger(), lines_max=3)
        structlog.contextvars.bind_contextvars(request_id="of-one-request")
        for _ in range(10):
            log.info("refused", code="a")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any("lines_left_out" in line for line in lines):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        await flood_and_wait()
    assert lines[-1]["lines_left_out"] == 7
    assert [line.get("request_id") for line in lines] == ["of-one-request"] * 3 + [None]
