"""An HTTP transport that bounds the answers of a provider, which may be broken or hostile.

An encoded answer is refused: a few bytes can decompress to very many.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import httpx

ANSWER_MAX_BYTES: Final = 1_048_576
"""A launch answers hundreds of bytes, a report some thousands."""


class AnswerRefused(httpx.TransportError):
    """The answer is too long, or encoded although the request asked for a plain one."""


class BoundedAnswers(httpx.AsyncBaseTransport):
    """Another transport, with a bound on the bodies that come back."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises AnswerRefused, then or while the body is read."""
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            await response.aclose()
            raise AnswerRefused("encoded answer", request=request)
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - what an asynchronous transport answers
        response.stream = _BoundedStream(stream, request)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, request: httpx.Request) -> None:
        self._inner = inner
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read_bytes = 0
        async for part in self._inner:
            read_bytes += len(part)
            if read_bytes > ANSWER_MAX_BYTES:
                raise AnswerRefused("answer too long", request=self._request)
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
