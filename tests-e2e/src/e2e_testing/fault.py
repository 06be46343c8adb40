"""What can go wrong with one call between the services, as values: which call, and what happens to it."""

import asyncio
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from e2e_testing.signing_client import answer_mac, request_mac
from e2e_testing.wire import Message, answer

HELD_SECONDS_MAX = 60.0
KEY_ID = re.compile(r"(?:^|,)k=([0-9A-Za-z._-]{1,64})(?:,|$)")


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
Copies = Callable[[Message], Message]
"""From a request to the one that is sent beside it."""


class Hold(Protocol):
    """Something that a call waits for."""

    async def hold(self) -> None: ...


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


class Spoils(Protocol):
    """Makes the bytes of a message other than they were meant."""

    def of(self, message: Message, *, keep_alive: bool) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Corruption:
    """One bit of a message is flipped: in its head or in its body, so far into it as `place` (0 to 1) says."""

    part: str
    place: float
    bit: int = 0

    def of(self, message: Message, *, keep_alive: bool) -> bytes:
        head = bytearray(message.head_bytes(keep_alive=keep_alive))
        body = bytearray(message.body)
        spoilt = body if self.part == "body" and body else head
        spoilt[min(int(self.place * len(spoilt)), len(spoilt) - 1)] ^= 1 << self.bit
        return bytes(head + body)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a call, in this order.

    The caller is cut off or not; wait, or until the caller has given up; hold; forward, whole, spoilt, half or not at
    all, and the copies beside it; hold again; wait again; rewrite; then the answer: cut, half, spoilt, dripping,
    endless or as it is.
    """

    hangs_up_first: bool = False
    outlasts_caller_before: bool = False
    delay_before_seconds: float = 0.0
    hold_before: Hold | None = None
    forwards: bool = True
    forwards_half: bool = False
    corrupts_request: Spoils | None = None
    copies: tuple[Copies, ...] = ()
    hold_after: Hold | None = None
    outlasts_caller_after: bool = False
    delay_after_seconds: float = 0.0
    rewrites: Rewrites | None = None
    cuts: bool = False
    cuts_half_way: bool = False
    corrupts_answer: Spoils | None = None
    drips_seconds: float = 0.0
    never_ends: bool = False


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
    """Sign an answer anew with the right secret, as a wallet that means what it says. What was asked without a
    signature, its health, is answered without one."""
    signature = request.field("x-casino-signature")
    if signature is None:
        return changed
    pairs = dict(part.split("=", 1) for part in signature.split(","))
    timestamp = int(time.time())
    mac = answer_mac(secret=secret, timestamp=timestamp, nonce=pairs["n"], status=changed.status, body=changed.body)
    return changed.with_field("x-casino-signature", f"t={timestamp},n={pairs['n']},k={key_id_of(request)},v1={mac}")


def key_id_of(request: Message) -> str:
    """The id of the key that signed a request; `main` for one without."""
    found = KEY_ID.search(request.field("x-casino-signature") or "")
    return found[1] if found else "main"


def same_bytes(request: Message) -> Message:
    """A copy with the nonce of the first: a network that delivers twice, or a replay of a recorded request."""
    return request


def signed_anew(secret: str) -> Copies:
    """A copy signed as the provider signs: the same transaction under a new nonce."""

    def sign(request: Message) -> Message:
        timestamp, nonce = int(time.time()), secrets.token_hex(16)
        mac = request_mac(
            secret=secret, timestamp=timestamp, nonce=nonce, method=request.method, target=request.target.encode(),
            body=request.body,
        )  # fmt: skip
        return request.with_field("x-casino-signature", f"t={timestamp},n={nonce},k={key_id_of(request)},v1={mac}")

    return sign


def says(status: int, content: object, **fields: str) -> Rewrites:
    """Another answer in place of the wallet's, unsigned, as from a third party on the network."""
    return lambda call, upstream: answer(status, content, **fields)


def says_signed(secret: str, status: int, content: object, **fields: str) -> Rewrites:
    """Another answer in place of the wallet's, correctly signed, as from the wallet itself."""
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
