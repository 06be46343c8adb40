"""Faults of a wallet. A fault is a function that answers one exchange.

A fault replaces the execution of the call, or (`after_work`) only its answer. The provider cannot tell the two apart;
the wallet's books differ.
"""

from __future__ import annotations

from typing import Any

from provider_testing.fake_wallet import Exchange, Fault, head
from provider_testing.wallet_model import refusal


def answering(
    status: int, code: str, *, sentence: str = "No.", signed: str = "good", headers: dict[str, str] | None = None
) -> Fault:
    """Refuse without executing the call."""

    async def fault(exchange: Exchange) -> None:
        _, _, body = refusal(status, code, sentence)
        await exchange.send((status, headers or {}, body), signed=signed)

    return fault


def after_work(fault: Fault) -> Fault:
    """Execute the call, then do this instead of answering."""

    async def both(exchange: Exchange) -> None:
        exchange.execute()
        await fault(exchange)

    return both


def spoiling(signed: str = "good", **changed: Any) -> Fault:
    """Execute the call, and answer with changed members."""

    async def fault(exchange: Exchange) -> None:
        status, headers, body = exchange.execute()
        await exchange.send((status, headers, body | changed), signed=signed)

    return fault


async def cut(exchange: Exchange) -> None:
    """The connection closes."""
    exchange.cut()


async def reset(exchange: Exchange) -> None:
    """The connection breaks."""
    exchange.reset()


async def stall(exchange: Exchange) -> None:
    """Send nothing, and close the connection when the plans are dropped."""
    await exchange.stall()
    exchange.cut()


async def hold(exchange: Exchange) -> None:
    """Answer correctly when the plans are dropped."""
    await exchange.stall()
    await exchange.send(exchange.execute())


async def half_an_answer(exchange: Exchange) -> None:
    """The connection closes in the middle of the body."""
    await exchange.write(head(200, {"content-length": "1000"}) + b'{"transactionId":')
    exchange.cut()


async def html(exchange: Exchange) -> None:
    """A page, signed as if it were an answer."""
    await exchange.send_bytes(200, b"<html>Welcome</html>")


async def redirect(exchange: Exchange) -> None:
    """Go somewhere else."""
    await exchange.send_bytes(307, b"", headers={"location": f"{exchange.wallet.url}/casino/elsewhere"})


async def endless_body(exchange: Exchange) -> None:
    """A body without an end."""
    await exchange.write(head(200, {"transfer-encoding": "chunked"}))
    while not exchange.writer.is_closing():
        await exchange.write(b"400\r\n" + b"x" * 1024 + b"\r\n")


async def nonsense(exchange: Exchange) -> None:
    """Not HTTP."""
    await exchange.write(b"moo moo moo\r\n\r\n")
    exchange.cut()


async def compressed(exchange: Exchange) -> None:
    """An encoding that nobody asked for."""
    await exchange.send_bytes(200, b"\x1f\x8b" + b"\0" * 30, headers={"content-encoding": "gzip"})
