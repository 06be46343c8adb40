"""Players who go on playing while a test does something else, for as long as a block lasts."""

import threading
from collections.abc import Callable, Sequence
from typing import Self


class BackgroundPlay:
    """A context manager: each of `players` in a thread of its own. They stop by themselves once `over` is set."""

    def __init__(self, players: Sequence[Callable[[], None]], *, join_seconds_max: float, if_late: str) -> None:
        self.over = threading.Event()
        self._threads = [threading.Thread(target=player, daemon=True) for player in players]
        self._join_seconds_max = join_seconds_max
        self._if_late = if_late

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(self._join_seconds_max)
            assert not thread.is_alive(), self._if_late
