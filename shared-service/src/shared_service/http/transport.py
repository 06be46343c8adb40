"""An HTTP client for calls to a peer: httpx's interface on aiohttp's connections, with bounds on time and size.

It ignores redirects, cookies and the environment's proxies, refuses compressed and too long answers, and distinguishes
a request that was not sent from one that may have arrived.

Why aiohttp: it has its own error class for a connection that was never made. Of the other fast transports measured, one
reports a cut connection as a failed connect, the other a failed connect as a time-out.
"""

import contextlib
import errno
import ssl
from pathlib import Path
from typing import Final

import aiohttp
import httpx
from yarl import URL

from shared_service.tls.contexts import client_context_for

ANSWER_MAX_BYTES: Final = 65_536
CONNECTIONS_MAX: Final = 128
IDLE_SECONDS: Final = 4.0  # well below the server's ten, so that the client closes first


class NotSent(httpx.ConnectError):
    """Nothing of the request was sent, because no connection was made. No other case raises this.

    The text is the cause in fixed words.
    """


class AnswerRefused(httpx.TransportError):
    """The answer is too long, or has a content encoding."""


class NoCookies(httpx.Cookies):
    """Ignores all cookies."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Do nothing."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends httpx requests with aiohttp, and reads each answer completely, up to a bound."""

    def __init__(
        self,
        *,
        call_seconds: float,
        connect_seconds: float,
        answer_max_bytes: int = ANSWER_MAX_BYTES,
        connections_max: int = CONNECTIONS_MAX,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._connections_max = connections_max
        self._verify = verify
        self._answer_max_bytes = answer_max_bytes
        self._timeout = aiohttp.ClientTimeout(total=call_seconds, connect=connect_seconds, sock_connect=connect_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises NotSent, AnswerRefused, httpx.ReadTimeout or httpx.ReadError."""
        session = self._session or self._open()
        try:
            async with session.request(
                request.method,
                # Not quoted again: the signature covers the target as it is.
                URL(str(request.url), encoded=True),
                headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
                data=request.content,
                allow_redirects=False,
            ) as answer:
                if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
                    raise AnswerRefused("encoded answer", request=request)
                body = await _read_bounded(answer.content, request, self._answer_max_bytes)
                return httpx.Response(answer.status, headers=answer.raw_headers, content=body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(_why_not_connected(error), request=request) from error
        except TimeoutError as error:
            raise httpx.ReadTimeout("deadline", request=request) from error
        except aiohttp.ClientError as error:
            raise httpx.ReadError(type(error).__name__, request=request) from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        # Not in __init__, because a session needs the running event loop.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._verify, limit=self._connections_max, keepalive_timeout=IDLE_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=False,
            trust_env=False,
        )
        return self._session


def _why_not_connected(error: aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "timed out"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "name not resolved"
    if isinstance(error, aiohttp.ClientConnectorSSLError | aiohttp.ClientConnectorCertificateError):
        return "TLS"
    return "connection refused" if error.errno == errno.ECONNREFUSED else "no connection"


async def _read_bounded(content: aiohttp.StreamReader, request: httpx.Request, most_bytes: int) -> bytes:
    chunks: list[bytes] = []
    seen_bytes = 0
    async for chunk in content.iter_any():
        seen_bytes += len(chunk)
        if seen_bytes > most_bytes:
            raise AnswerRefused("answer too long", request=request)
        chunks.append(chunk)
    return b"".join(chunks)


class Client(httpx.AsyncClient):
    """An httpx client of one peer that keeps no cookie."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport, base_url: str) -> None:
        """`transport` sends all requests."""
        super().__init__(transport=transport, base_url=base_url, follow_redirects=False, trust_env=False, timeout=None)
        self._sends = transport

    async def exchange(self, request: httpx.Request, auth: httpx.Auth) -> httpx.Response:
        """Send a request as it is, and return the whole answer. `auth` signs the request and judges the answer.

        Does what `send` does, without its support for redirects, hooks and streams: a third of a call's time.
        """
        flow = auth.auth_flow(request)
        answer = await self._sends.handle_async_request(next(flow))
        answer.request = request
        await answer.aread()
        with contextlib.suppress(StopIteration):
            flow.send(answer)
        return answer

    @property
    def cookies(self) -> httpx.Cookies:
        """Always empty."""
        return _NO_COOKIES

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        """Ignore them."""


_NO_COOKIES: Final = NoCookies()


def create_http_client(
    *,
    base_url: str,
    call_seconds: float,
    connect_seconds: float,
    answer_max_bytes: int = ANSWER_MAX_BYTES,
    connections_max: int = CONNECTIONS_MAX,
    ca_file: Path | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Client:
    """Returns a client for one peer. Closing it closes its connections. `ca_file`: see `shared_service.tls.contexts`.

    `call_seconds` bounds a call from its start to the last byte of its answer. `transport` replaces the network.
    """
    return Client(
        transport=transport
        or AiohttpTransport(
            call_seconds=call_seconds,
            connect_seconds=connect_seconds,
            answer_max_bytes=answer_max_bytes,
            connections_max=connections_max,
            verify=client_context_for(base_url, ca_file),
        ),
        base_url=base_url,
    )
