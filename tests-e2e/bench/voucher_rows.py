"""Vouchers: how long a batch of 500 takes to issue, and how many vouchers a second are redeemed.

Redeems come from 20,000 addresses behind a trusted proxy, as players at home do: one address has few a minute. A round
of redeems counts only if each of them made a player.
"""

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import uvloop

from bench.generator import apply_load
from bench.login_rows import BEHIND_A_PROXY, FIRST, PASSWORD, make_staff
from bench.measurements import Measurement, Outcome, Progress, Sample, Size, Target, UnsoundRoundError, interleave
from bench.services import BenchServices, Books

BATCH: Final = 500
BATCH_SECONDS_MAX: Final = 2.0
ADDRESSES: Final = 20_000
IN_FLIGHT: Final = 32
REDEEMS_PER_SECOND_LEAST: Final = 300
REDEEMS_PER_SECOND_MAX: Final = 1_500
"""How many vouchers are prepared for each second of a round: more than any round can use."""
FLOAT_MINOR: Final = 10**12
AMOUNT_MINOR: Final = 1_000
CALL_SECONDS: Final = 60.0


def measure_vouchers(services: BenchServices, template: Books, *, size: Size, progress: Progress) -> Outcome:
    books = services.copy_books(template)
    make_staff(books)
    desk = Desk.opened(services.start_casino(books, environment=BEHIND_A_PROXY).port)
    desk.issue()
    desk.redeem(seconds=size.warm_up_seconds)
    figures = interleave(
        [
            Measurement(key="batch", what=f"a batch of {BATCH} vouchers", measure=desk.issue, unit="ms"),
            Measurement(
                key="redeem",
                what=f"vouchers redeemed, {IN_FLIGHT} in flight, from {ADDRESSES:,} addresses",
                measure=lambda: desk.redeem(seconds=size.round_seconds),
            ),
        ],
        rounds=size.rounds,
        progress=progress,
    )
    targets = (
        Target(
            what=f"a batch of {BATCH} vouchers, seconds",
            value=figures["batch"].value / 1_000,
            bound=BATCH_SECONDS_MAX,
            at_least=False,
        ),
        Target(what="vouchers redeemed per second", value=figures["redeem"].value, bound=REDEEMS_PER_SECOND_LEAST),
    )
    return Outcome(figures=tuple(figures.values()), targets=targets)


@dataclass(slots=True)
class Desk:
    """An agent with a float, whose vouchers are issued and redeemed over HTTP."""

    port: int
    agent_id: str
    token: str
    addresses: Iterator[int]

    @classmethod
    def opened(cls, port: int) -> "Desk":
        """A new operator at the top and an agent below it, with money and a member of staff."""
        owner = _login(port, FIRST, PASSWORD)
        operator = _made(port, owner, "/admin/tenants", type="OPERATOR", name="Bench", currency="USD")["tenant"]
        agent = _made(
            port, owner, "/admin/tenants", type="AGENT", name="Desk", parentId=operator["tenantId"]
        )["tenant"]  # fmt: skip
        for tenant in (operator, agent):
            _made(port, owner, f"/admin/tenants/{tenant['tenantId']}/fund", amountMinor=FLOAT_MINOR, reason="bench")
        _made(
            port, owner, "/admin/staff",
            username="bench-desk", password=PASSWORD, role="agent", tenantId=agent["tenantId"],
        )  # fmt: skip
        return cls(port, agent["tenantId"], _login(port, "bench-desk", PASSWORD), itertools.count())

    def issue(self) -> Sample:
        """One batch, in milliseconds."""
        started = time.perf_counter()
        if len(self._batch()) != BATCH:
            raise UnsoundRoundError(f"a batch has {BATCH} vouchers")
        return Sample(value=(time.perf_counter() - started) * 1_000)

    def redeem(self, *, seconds: float) -> Sample:
        """Redeem vouchers that were issued before the clock starts."""
        batches = range(int(REDEEMS_PER_SECOND_MAX * seconds) // BATCH + 1)
        requests = [self._redeem(voucher) for _ in batches for voucher in self._batch()]
        result = uvloop.run(apply_load(requests, port=self.port, in_flight=IN_FLIGHT, seconds=seconds))
        if result.statuses != {201: result.sent_count}:
            raise UnsoundRoundError(f"{result.sent_count} redeemed, answered: {result.statuses}")
        return Sample(value=result.per_second, p50_ms=result.percentile_ms(50), p99_ms=result.percentile_ms(99))

    def _batch(self) -> list[dict[str, Any]]:
        path = f"/voucher/agents/{self.agent_id}/vouchers"
        vouchers: list[dict[str, Any]] = _made(
            self.port, self.token, path, amountMinor=AMOUNT_MINOR, count=BATCH
        )["vouchers"]  # fmt: skip
        return vouchers

    def _redeem(self, voucher: dict[str, Any]) -> bytes:
        body = json.dumps({"code": voucher["code"], "pin": voucher["pin"]}).encode()
        number = next(self.addresses) % ADDRESSES
        head = (
            f"POST /api/v1/voucher/redeem HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\ncontent-type: application/json\r\n"
            f"x-forwarded-for: 10.1.{number >> 8 & 255}.{number & 255}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _login(port: int, username: str, password: str) -> str:
    return str(_made(port, None, "/staff/login", username=username, password=password)["token"])


def _made(port: int, token: str | None, path: str, **content: Any) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = httpx.post(
        f"http://127.0.0.1:{port}/api/v1{path}", json=content, headers=headers, timeout=CALL_SECONDS
    )  # fmt: skip
    if answer.status_code not in (200, 201):
        raise UnsoundRoundError(f"{path}: {answer.status_code} {answer.text}")
    made: dict[str, Any] = answer.json()
    return made
