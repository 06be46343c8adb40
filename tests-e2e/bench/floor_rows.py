"""What no service can beat here: the generator's own ceiling, and an empty endpoint under the same web server."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_connection
from typing import Final

import uvloop

from bench.generator import apply_load
from bench.measurements import Measurement, Outcome, Progress, Sample, Size, UnsoundRoundError, interleave
from bench.presigned import plain_post
from local_stack.ports import free_port

DEPTH: Final = 64
ROUND_SECONDS: Final = 2.0
REQUESTS_PER_SECOND_MAX: Final = 250_000
START_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.05
STOP_SECONDS: Final = 10.0
BODY: Final = b'{"sessionToken":"0000","userId":"1"}'


@contextmanager
def floor_server(kind: str) -> Iterator[int]:
    """One of `bench.floor`'s servers as a child process; yields its port."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.floor", kind, str(port)],
        stdin=subprocess.DEVNULL,
    )
    try:
        _wait_until_open(process, port)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def measure_floor(*, size: Size, progress: Progress) -> Outcome:
    seconds = min(ROUND_SECONDS, size.round_seconds)
    with floor_server("raw") as raw_port, floor_server("starlette") as starlette_port:
        figures = interleave(
            [
                Measurement(
                    key="ceiling",
                    what=f"the generator's own ceiling: a raw server that answers fixed bytes, {DEPTH} in flight",
                    measure=lambda: _unsigned(raw_port, seconds=seconds),
                ),
                Measurement(
                    key="starlette",
                    what=f"an empty Starlette endpoint, one uvicorn worker, {DEPTH} in flight",
                    measure=lambda: _unsigned(starlette_port, seconds=seconds),
                ),
            ],
            rounds=size.rounds,
            progress=progress,
        )
    return Outcome(figures=tuple(figures.values()))


def _unsigned(port: int, *, seconds: float) -> Sample:
    requests = plain_post("/nothing", [BODY], port=port) * int(REQUESTS_PER_SECOND_MAX * seconds)
    result = uvloop.run(apply_load(requests, port=port, in_flight=DEPTH, seconds=seconds))
    if not result.all_ok:
        raise UnsoundRoundError(f"the server that does nothing answered {result.statuses}")
    return Sample(value=result.per_second, p50_ms=result.percentile_ms(50), p99_ms=result.percentile_ms(99))


def _wait_until_open(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            create_connection(("127.0.0.1", port), timeout=1.0).close()
        except ConnectionRefusedError:
            time.sleep(POLL_SECONDS)
        else:
            return
    raise RuntimeError("a server of the bench did not start")
