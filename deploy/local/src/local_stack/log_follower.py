"""Prints log files to the terminal as they grow, each line with its service's name.

Services write to files, not to a pipe, so a stopped terminal cannot block them.
"""

import threading
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rich.console import Console
from rich.text import Text

POLL_SECONDS = 0.1
CHUNK_BYTES = 65_536
STYLES = ("cyan", "magenta", "yellow", "green")


class LogFollower:
    """Context manager: prints what is added to the files while its block runs."""

    def __init__(self, console: Console, paths: Mapping[str, Path]) -> None:
        self._console = console
        self._paths = dict(paths)
        self._offsets = {name: path.stat().st_size if path.exists() else 0 for name, path in self._paths.items()}
        self._width = max(len(name) for name in self._paths)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="log-follower", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._done.wait(POLL_SECONDS):
            self._show_new_lines()
        self._show_new_lines()

    def _show_new_lines(self) -> None:
        for style, (name, path) in zip(cycle(STYLES), self._paths.items(), strict=False):
            if path.exists():
                if path.stat().st_size < self._offsets[name]:  # renamed and started anew
                    self._offsets[name] = 0
                with path.open("rb") as log:
                    while lines := self._whole_lines(log, name):
                        for line in lines:
                            label = Text(f"{name:<{self._width}} | ", style=style)
                            self._console.print(label + Text(line), soft_wrap=True)

    def _whole_lines(self, log: IO[bytes], name: str) -> list[str]:
        log.seek(self._offsets[name])
        chunk = log.read(CHUNK_BYTES)
        end = chunk.rfind(b"\n") + 1 or (len(chunk) if len(chunk) == CHUNK_BYTES else 0)
        self._offsets[name] += end
        return chunk[:end].decode(errors="replace").splitlines()
