"""The HTTP client under the wallet client: httpx's interface on a fast transport, strictly bounded.

Owns connections, their bounds and what may come back over them. It must never follow a redirect, use a proxy of the
environment, keep a cookie, decode a compressed answer, or read an answer to its end when it has none.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import httpx
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport

ANSWER_MAX_BYTES: Final = 65_536
CONNECTIONS_MAX: Final = 128
IDLE_CONNECTIONS_MAX: Final = 64
IDLE_SECONDS: Final = 20.0  # shorter than any sensible server's, so that it is we who close
USER_AGENT: Final = "provider-service"


class AnswerRefused(httpx.TransportError):
    """The answer breaks a bound: too long, or in an encoding that nobody asked for."""


class BoundedTransport(httpx.AsyncBaseTransport):
    """Refuses answers that are encoded or too long, before they are held in memory."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            await response.aclose()
            raise AnswerRefused("encoded answer", request=request)
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 -- an async transport streams so
        response.stream = _BoundedStream(response.stream, request)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, request: httpx.Request) -> None:
        self._inner = inner
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen_bytes = 0
        async for chunk in self._inner:
            seen_bytes += len(chunk)
            if seen_bytes > ANSWER_MAX_BYTES:
                raise AnswerRefused("answer too long", request=self._request)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def create_http_client(*, base_url: str, call_seconds: float, connect_seconds: float) -> httpx.AsyncClient:
    """The client for one wallet. Closing it closes its connections."""
    fast = (
        ClientBuilder()
        .follow_redirects(False)
        .no_proxy()
        .default_cookie_store(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .referer(False)
        .http1_lower_case_headers()
        .user_agent(USER_AGENT)
        .max_connections(CONNECTIONS_MAX)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(timedelta(seconds=IDLE_SECONDS))
        .pool_timeout(timedelta(seconds=connect_seconds))
        .connect_timeout(timedelta(seconds=connect_seconds))
        .timeout(timedelta(seconds=call_seconds))
        .build()
    )
    return httpx.AsyncClient(
        transport=BoundedTransport(HttpxTransport(fast)),
        base_url=base_url,
        follow_redirects=False,
        trust_env=False,
        timeout=None,  # noqa: S113 -- the transport's own deadlines hold, and the caller's over all attempts
        headers={"user-agent": USER_AGENT, "accept": "application/json", "content-type": "application/json"},
    )
