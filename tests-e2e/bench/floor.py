"""Servers that do nothing, each a process of its own: what the generator and the web framework cost by themselves.

    python -m bench.floor raw PORT        the generator's own ceiling: fixed bytes for every read
    python -m bench.floor starlette PORT  an empty Starlette endpoint under one uvicorn worker
    python -m bench.floor wallet PORT     a wallet that agrees to everything and signs its answers

They use no database and no code of the services.
"""

import asyncio
import hashlib
import hmac
import sys
import time
from typing import Final, cast

import msgspec
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

HOST: Final = "127.0.0.1"
WALLET_SECRET: Final = "a-secret-that-only-the-benchmark-knows"
_FIXED_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\ndate: Fri, 21 Nov 2025 02:52:00 GMT\r\nserver: floor\r\ncontent-length: 2\r\n"
    b"content-type: application/json\r\n\r\n{}"
)


class _FixedAnswer(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is not a subclass

    def data_received(self, data: bytes) -> None:
        self._transport.write(_FIXED_ANSWER)


class _AgreeableWallet(asyncio.Protocol):
    """Answers each signed call at once, signed as the protocol says, so that only the caller's client is measured."""

    def __init__(self) -> None:
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is not a subclass

    def data_received(self, data: bytes) -> None:
        data = self._unread + data
        while (head_end := data.find(b"\r\n\r\n")) >= 0:
            head = data[:head_end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r")[0]) if b"content-length:" in head else 0
            body_end = head_end + 4 + length
            if len(data) < body_end:
                break
            self._transport.write(_agree(data[:head_end], body=data[head_end + 4 : body_end]))
            data = data[body_end:]
        self._unread = data


def _agree(head: bytes, *, body: bytes) -> bytes:
    at = head.lower().index(b"x-casino-signature:")
    nonce = head[head.index(b"n=", at) + 2 :].split(b",")[0].decode()
    asked = msgspec.json.decode(body)
    answer = msgspec.json.encode(
        {"transactionId": asked["transactionId"], "balance": "1000000", "currency": "USD", "status": "ok"}
    )
    timestamp = int(time.time())
    signed = f"v1-response\n{timestamp}\n{nonce}\n200\n{hashlib.sha256(answer).hexdigest()}".encode()
    mac = hmac.digest(WALLET_SECRET.encode(), signed, "sha256").hex()
    return (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n"
        f"x-request-id: floor\r\nx-casino-signature: t={timestamp},n={nonce},k=main,v1={mac}\r\n\r\n"
    ).encode() + answer


async def _serve_protocol(protocol: type[asyncio.Protocol], *, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(protocol, HOST, port)
    await server.serve_forever()


async def _nothing(_request: Request) -> Response:
    return Response(b"{}", media_type="application/json")


def main(kind: str, port: int) -> None:
    if kind == "starlette":
        app = Starlette(routes=[Route("/nothing", _nothing, methods=["POST"])])
        uvicorn.run(app, host=HOST, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning")
        return
    uvloop.run(_serve_protocol({"raw": _FixedAnswer, "wallet": _AgreeableWallet}[kind], port=port))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
