"""Runs the worker processes of a service, and stops them."""

import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from multiprocessing import connection
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

GRACEFUL_SECONDS: Final = 10
"""How long requests in flight may take after a stop signal."""
KILL_SECONDS: Final = GRACEFUL_SECONDS + 5
"""A worker without a supervisor is killed after this time."""
GC_THRESHOLD_OBJECTS: Final = 5_000


def run(config: uvicorn.Config, *, sockets: list[socket.socket]) -> None:
    """Serve on these sockets until SIGTERM, SIGINT or SIGHUP, in this process or in `config.workers` others."""
    if config.workers == 1:
        _stop_on_hangup()
        # uvicorn stops gracefully and then raises the signal again. The exit status must be 0.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        server = uvicorn.Server(config)
        try:
            server.run(sockets=sockets)
        except KeyboardInterrupt:
            return
        if not server.started:
            sys.exit(STARTUP_FAILURE)
        return
    supervisor = _Supervisor(config, sockets=sockets)
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(STARTUP_FAILURE)


class _Supervisor(Multiprocess):
    """Stops on SIGHUP, which a closing terminal sends. uvicorn would start new workers instead."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        super().__init__(config, sockets)
        if ignored:  # by nohup: the service must outlive the terminal
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def handle_hup(self) -> None:
        """Stop."""
        self.should_exit.set()


def _stop_on_hangup() -> None:
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def end_with_supervisor() -> None:
    """Call it in each process: a worker then stops when its supervisor is gone. Does nothing in other processes."""
    supervisor = multiprocessing.parent_process()
    if supervisor is None:
        return
    # A terminal sends SIGHUP to every process of its group. Only the supervisor reacts, and sends SIGTERM.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def watch() -> None:
        connection.wait([supervisor.sentinel])  # a pipe that only the supervisor holds open
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(KILL_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="end-with-supervisor", daemon=True).start()


def spare_garbage_collector() -> None:
    """Call it when the application is built: the garbage collector then ignores all present objects, to save time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD_OBJECTS)
