"""What a wallet can do wrong. Each fault is a function of one exchange; the makers return them.

A fault either happens instead of the wallet's work (`before_work`), or the work is done and its answer is lost or
spoilt (`after_work`): to the provider the two look the same, in the books they are opposites.
"""

from __future__ import annotations

from typing import Any

from provider_testing.fake_wallet import Exchange, Fault, head
from provider_testing.wallet_model import refusal


def answering(
    status: int, code: str, *, sentence: str = "No.", signed: str = "good", headers: dict[str, str] | None = None
) -> Fault:
    """Refuse, without any work."""

    async def fault(exchange: Exchange) -> None:
        _, _, body = refusal(status, code, sentence)
        await exchange.send((status, headers or {}, body), signed=signed)

    return fault


def after_work(fault: Fault) -> Fault:
    """The work is done, then this happens instead of the answer."""

    async def both(exchange: Exchange) -> None:
        exchange.execute()
        await fault(exchange)

    return both


def spoiling(signed: str = "good", **changed: Any) -> Fault:
    """The work is done and answered with changed members."""

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
    """Nothing comes; the connection closes when the wallet forgets its plans."""
    await exchange.stall()
    exchange.cut()


async def hold(exchange: Exchange) -> None:
    """The answer comes when the wallet forgets its plans."""
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
