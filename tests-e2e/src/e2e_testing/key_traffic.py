"""Constant signed traffic beside a test, and a record of every answer."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from e2e_testing.answers import Answer
from shared_service_testing.waiting import wait_until

PAUSE_SECONDS = 0.01
GAP_SECONDS_MAX = 0.1
"""Between two answers; a longer one is a machine that stood still, or had other work."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer, and when it was there."""

    at: float
    verdict: tuple[int, str | None]


@dataclass(slots=True)
class Traffic:
    """Calls `ask` again and again from a thread of its own."""

    ask: Callable[[], Answer]
    seen: list[Seen] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stopping.is_set():
            answer = self.ask()
            self.seen.append(Seen(time.monotonic(), answer.verdict))
            time.sleep(PAUSE_SECONDS)

    @property
    def other_than_ok(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.verdict[0] not in (200, 201)]

    def first(self, code: str) -> float | None:
        return next((seen.at for seen in self.seen if seen.verdict[1] == code), None)

    def lively_seconds(self, since: float, code: str) -> float:
        """How long it took until this code came, without the time in which nothing at all was answered."""
        until_then = list(itertools.takewhile(lambda seen: seen.verdict[1] != code, self.seen))
        moments = [since, *(seen.at for seen in self.seen[: len(until_then) + 1] if seen.at > since)]
        return sum(min(after - before, GAP_SECONDS_MAX) for before, after in itertools.pairwise(moments))

    def goes_on(self, answers: int = 2) -> None:
        """Wait until so many more answers are there: with two, what was under way at the call is over."""
        enough = len(self.seen) + answers
        wait_until(lambda: len(self.seen) >= enough, f"{answers} more answers")


@contextmanager
def running(*traffics: Traffic) -> Iterator[None]:
    """All of them, until the block ends; an error in one is an error of the test."""
    errors: list[BaseException] = []

    def run(traffic: Traffic) -> None:
        try:
            traffic.run()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(traffic,)) for traffic in traffics]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for traffic in traffics:
            traffic.stopping.set()
        for thread in threads:
            thread.join()
    assert errors == []
