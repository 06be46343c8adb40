"""One address for a database that moves: a TCP switch in front of a primary and its standby.

Stands for whatever an operator has there (HAProxy, PgBouncer, a virtual address, a service of the cluster): it follows
the leader, and it cuts what still talks to the former one. Passes bytes on untouched.
"""

import asyncio
import contextlib
import threading

START_SECONDS_MAX = 30.0
CHUNK_BYTES = 65_536


class Switch:
    """Listens on a port of its own in a thread of its own; a context manager. Points nowhere until it is told to."""

    def __init__(self) -> None:
        self.port = 0
        self._target: int | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def point_to(self, port: int | None) -> None:
        """New connections go there, or nowhere; every connection to the former target is cut."""
        asyncio.run_coroutine_threadsafe(self._turn(port), self._loop).result(START_SECONDS_MAX)

    def __enter__(self) -> "Switch":
        self._thread.start()
        assert self._ready.wait(START_SECONDS_MAX), "the switch did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS_MAX)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        await self._turn(None)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _turn(self, port: int | None) -> None:
        self._target = port
        for writer in list(self._open):
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target, onward = self._target, None
        try:
            if target is None:
                return
            back, onward = await asyncio.open_connection("127.0.0.1", target)
            if target != self._target:
                return
            self._open |= {writer, onward}
            await asyncio.gather(self._pass(reader, onward), self._pass(back, writer))
        except (OSError, asyncio.CancelledError):
            return
        finally:
            for each in (writer, onward):
                if each is not None:
                    self._open.discard(each)
                    each.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(CHUNK_BYTES):
                target.write(chunk)
                await target.drain()
        target.close()
