"""What can go wrong with one call between the services, as values: which call, and what happens to it.

Owns the menu of faults. Must never do anything: the proxy acts.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from faults.wire import Message, answer
from signing_client import answer_mac

HELD_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came to the proxy, with how often its transaction was sent before."""

    endpoint: str
    request: Message
    attempt: int

    @property
    def transaction_id(self) -> str | None:
        return self.request.content.get("transactionId")

    @property
    def original_id(self) -> str | None:
        return self.request.content.get("originalTransactionId")

    @property
    def token(self) -> str | None:
        return self.request.content.get("sessionToken")


Matches = Callable[[Call], bool]
Rewrites = Callable[[Call, Message], Message]


class Gate:
    """Holds a call until the test opens it; lets the test wait until the call is there."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self._opened = threading.Event()

    def wait_for_arrival(self, seconds: float = HELD_SECONDS_MAX) -> None:
        assert self.arrived.wait(seconds), "the call that was to be held never came"

    def open(self) -> None:
        self._opened.set()

    async def hold(self) -> None:
        self.arrived.set()
        await asyncio.to_thread(self._opened.wait, HELD_SECONDS_MAX)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a call, in this order: wait, hold, forward or not, hold again, wait again, rewrite, cut."""

    delay_before_seconds: float = 0.0
    hold_before: Gate | None = None
    forwards: bool = True
    hold_after: Gate | None = None
    delay_after_seconds: float = 0.0
    rewrites: Rewrites | None = None
    cuts: bool = False
    cuts_half_way: bool = False


@dataclass(slots=True)
class Rule:
    """A fault for the calls that match, at most so many times."""

    matches: Matches
    fault: Fault
    times_left: int = 1
    hits: list[Call] = field(default_factory=list)

    def take(self, call: Call) -> bool:
        if self.times_left < 1 or not self.matches(call):
            return False
        self.times_left -= 1
        self.hits.append(call)
        return True


def resign(secret: str, request: Message, changed: Message) -> Message:
    """Sign an answer anew with the right secret, as a wallet that means what it says."""
    pairs = dict(part.split("=", 1) for part in (request.field("x-casino-signature") or "").split(","))
    timestamp = int(time.time())
    mac = answer_mac(secret=secret, timestamp=timestamp, nonce=pairs["n"], status=changed.status, body=changed.body)
    return changed.with_field("x-casino-signature", f"t={timestamp},n={pairs['n']},k=main,v1={mac}")


def says(status: int, content: object, **fields: str) -> Rewrites:
    """Another answer in place of the wallet's, unsigned: somebody between the services spoke."""
    return lambda call, upstream: answer(status, content, **fields)


def says_signed(secret: str, status: int, content: object, **fields: str) -> Rewrites:
    """Another answer in place of the wallet's, well signed: the wallet itself spoke."""
    return lambda call, upstream: resign(secret, call.request, answer(status, content, **fields))


def error(code: str) -> dict[str, str]:
    return {"error": f"Made up: {code}", "code": code, "requestId": "made-up"}


def changes_field(secret: str, name: str, value: object) -> Rewrites:
    """The wallet's own answer with one field changed, signed as if it meant it."""

    def rewrite(call: Call, upstream: Message) -> Message:
        body = json.dumps(upstream.content | {name: value}).encode()
        return resign(secret, call.request, upstream.with_body(body))

    return rewrite


def tampers_body(call: Call, upstream: Message) -> Message:
    """The same signature over another balance: what an attacker on the wire could do."""
    return upstream.with_body(json.dumps(upstream.content | {"balance": "999999999"}).encode())


def tampers_signature(call: Call, upstream: Message) -> Message:
    value = upstream.field("x-casino-signature") or ""
    return upstream.with_field("x-casino-signature", value[:-1] + ("0" if value[-1:] != "0" else "1"))


def strips_signature(call: Call, upstream: Message) -> Message:
    return upstream.with_field("x-casino-signature", None)
