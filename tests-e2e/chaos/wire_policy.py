"""Turns the plan's faults of messages into what the proxy does to each call."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chaos.plan import Plan
from e2e_testing.fault import (
    Call,
    Corruption,
    Fault,
    Rewrites,
    changes_field,
    error,
    key_id_of,
    same_bytes,
    says,
    signed_anew,
    strips_signature,
    tampers_body,
    tampers_signature,
)
from e2e_testing.wire import Message, html

OVERTAKEN_SECONDS_MAX = 0.5
LATE_SECONDS_MAX = 8.0
DELAY_SECONDS_MAX = 0.4
COPIES_MAX = 5
DRIP_PAUSE_SECONDS = 0.05
HUGE_BALANCE = str(10**30)


@dataclass(frozen=True, slots=True)
class Until:
    """Holds a call until something happened, or for so long."""

    event: asyncio.Event
    seconds_max: float

    async def hold(self) -> None:
        try:
            async with asyncio.timeout(self.seconds_max):
                await self.event.wait()
        except TimeoutError:
            return


@dataclass(slots=True)
class WirePolicy:
    """Asked by the proxy, in its own thread, about one call after the other. `secrets`: by the id of their key."""

    plan: Plan
    secrets: Mapping[str, str] = field(repr=False)
    deadline_seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    _ordinals: Counter[str] = field(default_factory=Counter)
    _overtaken: list[asyncio.Event] = field(default_factory=list)
    _rolled_back: dict[str, asyncio.Event] = field(default_factory=dict)

    def decide(self, call: Call) -> Fault:
        for event in self._overtaken:
            event.set()
        self._overtaken.clear()
        player = str(call.request.content.get("userId"))
        self._ordinals[player] += 1
        drawn = self.plan.wire_fault(player, self._ordinals[player])
        if drawn is None or (drawn.kind == "late_debit" and call.endpoint != "debit"):
            return Fault()
        self.counts[drawn.kind] += 1
        return MENU[drawn.kind](self, call, random.Random(drawn.seed))

    def noticed(self, call: Call, reply: Message | None) -> None:
        """A bet whose rollback was answered may come now."""
        if call.endpoint == "rollback" and reply is not None and call.original_id in self._rolled_back:
            self._rolled_back.pop(call.original_id).set()

    def late_debit(self, call: Call, _rng: random.Random) -> Fault:
        event = self._rolled_back[str(call.transaction_id)] = asyncio.Event()
        return Fault(hangs_up_first=True, hold_before=Until(event, LATE_SECONDS_MAX))

    def reorder(self, _call: Call, _rng: random.Random) -> Fault:
        event = asyncio.Event()
        self._overtaken.append(event)
        return Fault(hold_before=Until(event, OVERTAKEN_SECONDS_MAX))

    def secret_of(self, call: Call) -> str:
        return self.secrets[key_id_of(call.request)]

    def nonsense(self, call: Call, rng: random.Random) -> Fault:
        name, rewrites = rng.choice(list(nonsense_answers(self.secret_of(call)).items()))
        self.counts[f"nonsense: {name}"] += 1
        return Fault(rewrites=rewrites, never_ends=name == "endless body", forwards=rng.random() < 0.7)

    def beyond_deadline(self, _call: Call, rng: random.Random) -> Fault:
        late = self.deadline_seconds + rng.uniform(0.1, 1.0)
        return Fault(delay_before_seconds=late) if rng.random() < 0.5 else Fault(delay_after_seconds=late)


Builds = Callable[[WirePolicy, Call, random.Random], Fault]
MENU: dict[str, Builds] = {
    "lose_request": lambda *_: Fault(forwards=False, cuts=True),
    "lose_answer": lambda *_: Fault(cuts=True),
    "cut_request_half_way": lambda *_: Fault(forwards_half=True),
    "cut_answer_half_way": lambda *_: Fault(cuts_half_way=True),
    "delay": lambda _p, _c, rng: Fault(delay_before_seconds=rng.uniform(0.01, DELAY_SECONDS_MAX)),
    "delay_beyond_deadline": WirePolicy.beyond_deadline,
    "late_debit": WirePolicy.late_debit,
    "reorder": WirePolicy.reorder,
    "duplicate_same_nonce": lambda _p, _c, rng: Fault(copies=(same_bytes,) * rng.randint(1, COPIES_MAX)),
    "duplicate_fresh_nonce": lambda policy, call, rng: Fault(
        copies=(signed_anew(policy.secret_of(call)),) * rng.randint(1, COPIES_MAX)
    ),
    "corrupt_request": lambda _p, _c, rng: Fault(corrupts_request=corruption(rng)),
    "corrupt_answer": lambda _p, _c, rng: Fault(corrupts_answer=corruption(rng)),
    "nonsense": WirePolicy.nonsense,
    "slow_drip": lambda *_: Fault(drips_seconds=DRIP_PAUSE_SECONDS),
}
"""Kind of fault to how it is made for one call."""


def corruption(rng: random.Random) -> Corruption:
    return Corruption(rng.choice(["head", "body"]), rng.random(), rng.randrange(8))


def nonsense_answers(secret: str) -> dict[str, Rewrites]:
    """Answers that the provider must not believe, from a third party on the network or from a defective wallet."""
    return {
        "a page with 200": lambda call, upstream: html(200, "<html>It works!</html>"),
        "unsigned 500": says(500, {"oops": True}),
        "unsigned 401": says(401, error("nonce_replay")),
        "unsigned 402": says(402, error("insufficient_balance")),
        "unsigned 404": says(404, error("session_not_found")),
        "unsigned 429": says(429, error("rate_limited"), retry_after="0"),
        "unsigned 503": says(503, error("overloaded"), retry_after="0"),
        "redirect": says(302, {}, location="/casino/getBalance"),
        "another balance": tampers_body,
        "another signature": tampers_signature,
        "no signature": strips_signature,
        "another currency": changes_field(secret, "currency", "EUR"),
        "another transaction": changes_field(secret, "transactionId", "another-one"),
        "a negative balance": changes_field(secret, "balance", "-47"),
        "a huge balance": changes_field(secret, "balance", HUGE_BALANCE),
        "endless body": lambda call, upstream: upstream,
    }
