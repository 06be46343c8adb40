"""Sends one message to one address, within ten seconds, and never into a private network.

Every try has a connection of its own, so that nothing of another receiver's answer can be in it. It goes to an address
that was resolved and judged just before: the name is not resolved again in between. Redirects are not followed, the
environment's proxies and cookies are not known, answers are not decompressed.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import httpcore

from casino.webhooks.addresses import Address, Endpoint, address_of, may_connect

SECONDS_MAX: Final = 10.0
CONNECT_SECONDS: Final = 3.0
"""For each address of a name."""
ADDRESSES_MAX: Final = 3
ANSWER_MAX_BYTES: Final = 65_536
ANSWER_KEPT_CHARACTERS: Final = 4_096
RESOLVERS_MAX: Final = 128
"""Threads that look names up. A name server that hangs holds one of them for each of its names."""
RETRY_AFTER_MAX: Final = 86_400
_SUCCESSES: Final = range(200, 300)
_ASK_TO_WAIT: Final = (429, 503)
_SECONDS: Final = re.compile(rb"[0-9]{1,9}")

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
MayConnect = Callable[[Address], bool]


class AddressRefused(Exception):  # noqa: N818 - an outcome, not a defect
    """The name has an address to which no connection may be made."""


class NameNotFound(Exception):  # noqa: N818 - an outcome, not a defect
    """The name has no address."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try. `error` is a fixed word, where there was no answer."""

    status: int | None
    body: str | None
    error: str | None
    duration_ms: int
    retry_after: int | None = None
    """Seconds that a 429 or 503 asks to wait."""

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status in _SUCCESSES


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Of one try: resolves a name, judges all of its addresses, and connects to one of these."""

    def __init__(self, resolve: Resolve, allows: MayConnect) -> None:
        self._resolve, self._allows = resolve, allows
        self._network = httpcore.AnyIOBackend()
        self._opened: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - each address has its own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect. One address that is refused refuses the name: whoever mixes them means to be lucky."""
        addresses = await self._resolve(host, port)
        if not addresses:
            raise NameNotFound
        if not all(map(self._allows, addresses)):
            raise AddressRefused
        failure: Exception = NameNotFound()
        for address in addresses[:ADDRESSES_MAX]:
            try:
                self._opened = await self._network.connect_tcp(
                    str(address),
                    port,
                    timeout=CONNECT_SECONDS,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return self._opened
        raise failure

    async def close(self) -> None:
        """Close what was opened, whatever was said on it: also a handshake of TLS that was cancelled."""
        if self._opened is not None:
            await self._opened.aclose()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Sender:
    """Sends messages to the addresses of webhooks. `resolve` and `allows`: other ones, for tests."""

    def __init__(
        self,
        *,
        demo: bool,
        resolve: Resolve | None = None,
        allows: Callable[[str, Address], bool] | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._names = ThreadPoolExecutor(RESOLVERS_MAX, thread_name_prefix="webhook-names")
        self._looking: dict[tuple[str, int], asyncio.Future[list[Address]]] = {}
        self._resolve = resolve or self._look_up
        self._allows = {scheme: _allowed(scheme, allows, demo=demo) for scheme in ("https", "http")}
        self._trust = trust or httpcore.default_ssl_context()

    async def send(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Outcome:
        """POST a message. Raises nothing but what ends this process's work."""
        started = time.monotonic()
        answer = _Answer()
        error = await self._exchange(endpoint, headers, body, answer)
        duration_ms = round((time.monotonic() - started) * 1000)
        error = None if answer.status is not None else error
        return Outcome(answer.status, answer.text(), error, duration_ms, answer.retry_after)

    def close(self) -> None:
        """Look up nothing any more. A look-up that hangs is left to itself."""
        self._names.shutdown(wait=False, cancel_futures=True)

    async def _exchange(
        self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes, answer: _Answer
    ) -> str | None:
        url = httpcore.URL(
            scheme=endpoint.scheme.encode(),
            host=endpoint.host.encode(),
            port=endpoint.port,
            target=endpoint.target.encode(),
        )
        named = [("host", endpoint.authority), ("connection", "close"), *headers.items()]
        network = CheckedBackend(self._resolve, self._allows[endpoint.scheme])
        connection = httpcore.AsyncHTTPConnection(url.origin, self._trust, network_backend=network)
        try:
            async with (
                asyncio.timeout(SECONDS_MAX),
                connection.stream("POST", url, headers=named, content=body) as response,
            ):
                answer.status, answer.retry_after = response.status, _retry_after(response)
                async for part in response.aiter_stream():
                    answer.body += part
                    if len(answer.body) >= ANSWER_MAX_BYTES:
                        break
        except AddressRefused:
            return "ADDRESS_REFUSED"
        except NameNotFound:
            return "NAME_NOT_FOUND"
        except (TimeoutError, httpcore.TimeoutException):
            return "TIMEOUT"
        except httpcore.ConnectError as error:
            return "TLS_FAILED" if isinstance(error.__cause__ or error.__context__, ssl.SSLError) else "NOT_CONNECTED"
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            return "NO_ANSWER"
        finally:
            await network.close()
        return None

    async def _look_up(self, host: str, port: int) -> list[Address]:
        """Look a name up. Who asks while another look-up of the name is under way waits for that one."""
        key = (host, port)
        if key not in self._looking:
            loop = asyncio.get_running_loop()
            self._looking[key] = loop.run_in_executor(self._names, look_up, host, port)
            self._looking[key].add_done_callback(lambda _: self._looking.pop(key))
        return await asyncio.shield(self._looking[key])


def look_up(host: str, port: int) -> list[Address]:
    """Returns the addresses of a name, by the machine's resolver; none for a name that it does not know. Blocks."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return []
    return [address_of(str(address[0])) for *_, address in found]


class _Answer:
    """What was read of an answer until it ended, was long enough, or the time was over."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.retry_after: int | None = None
        self.body = bytearray()

    def text(self) -> str | None:
        """The beginning, as the database can store it."""
        if self.status is None:
            return None
        return self.body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")[:ANSWER_KEPT_CHARACTERS]


def _retry_after(response: httpcore.Response) -> int | None:
    """The seconds of a `retry-after` that counts. A date in it does not."""
    said = [value for name, value in response.headers if name.lower() == b"retry-after"]
    if response.status not in _ASK_TO_WAIT or len(said) != 1 or not _SECONDS.fullmatch(said[0]):
        return None
    return min(int(said[0]), RETRY_AFTER_MAX)


def _allowed(scheme: str, allows: Callable[[str, Address], bool] | None, *, demo: bool) -> MayConnect:
    if allows is not None:
        return lambda address: allows(scheme, address)
    return lambda address: may_connect(scheme, address, demo=demo)
