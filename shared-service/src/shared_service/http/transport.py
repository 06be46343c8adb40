"""An HTTP client for calls to a peer: httpx's interface on aiohttp's connections, with bounds on time and size.

It ignores redirects, cookies and the environment's proxies, refuses compressed and too long answers, and distinguishes
a request that was not sent from one that may have arrived.

Why aiohttp: it has its own error class for a connection that was never made. Of the other fast transports measured, one
reports a cut connection as a failed connect, the other a failed connect as a time-out.
"""

import errno
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx
from yarl import URL

from shared_service.tls.contexts import client_context_for, without_system_authorities
from shared_signing.httpx_auth import EXTENSION_NAME, SignedAuth, Verdict

with without_system_authorities():  # into contexts that no call uses: a fifth of the time in which a service starts
    import aiohttp

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


@dataclass(frozen=True, slots=True)
class Target:
    """An address of a peer, and the path of its requests as it is signed."""

    url: URL
    raw_path: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read completely. `headers`: by names in any letters; `raw_headers`: as they came.

    `signature` is the verdict on a signed exchange.
    """

    status_code: int
    headers: Mapping[str, str]
    raw_headers: Sequence[tuple[bytes, bytes]]
    content: bytes
    signature: Verdict | None = None


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
        """Send one httpx request. Raises what `send` raises."""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        url = URL(str(request.url), encoded=True)
        try:
            answer = await self.send(request.method, url, headers=headers, body=request.content)
        except httpx.TransportError as error:
            error.request = request
            raise
        return httpx.Response(answer.status_code, headers=answer.raw_headers, content=answer.content)

    async def send(self, method: str, url: URL, *, headers: list[tuple[str, str]], body: bytes) -> Answer:
        """Send one request. Raises NotSent, AnswerRefused, httpx.ReadTimeout or httpx.ReadError."""
        session = self._session or self._open()
        if session.closed:
            raise NotSent("closed")
        try:
            async with session.request(method, url, headers=headers, data=body, allow_redirects=False) as answer:
                if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
                    raise AnswerRefused("encoded answer")
                content = await _read_bounded(answer.content, self._answer_max_bytes)
                return Answer(answer.status, answer.headers, answer.raw_headers, content)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(_why_not_connected(error)) from error
        except TimeoutError as error:
            raise httpx.ReadTimeout("deadline") from error
        except aiohttp.ClientError as error:
            raise httpx.ReadError(type(error).__name__) from error

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


async def _read_bounded(content: aiohttp.StreamReader, most_bytes: int) -> bytes:
    chunks: list[bytes] = []
    seen_bytes = 0
    async for chunk in content.iter_any():
        seen_bytes += len(chunk)
        if seen_bytes > most_bytes:
            raise AnswerRefused("answer too long")
        chunks.append(chunk)
    return b"".join(chunks)


class Client(httpx.AsyncClient):
    """An httpx client of one peer that keeps no cookie."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport, base_url: str) -> None:
        """`transport` sends all requests."""
        super().__init__(transport=transport, base_url=base_url, follow_redirects=False, trust_env=False, timeout=None)
        self._sends = transport

    def target(self, path: str) -> Target:
        """The address of a path, for `post`."""
        url = httpx.URL(f"{str(self.base_url).rstrip('/')}{path}")
        return Target(URL(str(url), encoded=True), url.raw_path)

    async def post_signed(
        self, target: Target, body: bytes, *, headers: list[tuple[str, str]], auth: SignedAuth
    ) -> Answer:
        """Send one signed POST, and return the answer with the verdict on its signature. Raises what `send` raises.

        Over real sockets it takes half the time of `post`, because it makes none of httpx's objects.
        """
        if not isinstance(self._sends, AiohttpTransport):
            found = await self.post(str(target.url), content=body, headers=headers, auth=auth)
            return Answer(
                found.status_code, found.headers, found.headers.raw, found.content, found.extensions[EXTENSION_NAME]
            )
        signature, nonce = auth.sign("POST", target.raw_path, body)
        answer = await self._sends.send("POST", target.url, headers=headers + signature, body=body)
        verdict = auth.judge(answer.raw_headers, nonce=nonce, status=answer.status_code, body=answer.content)
        return replace(answer, signature=verdict)

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
