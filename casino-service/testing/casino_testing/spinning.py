"""A studio that plays spins at the casino under test: one debit, one credit, and the same outcome for the same id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from casino_testing.edge import Content, FakeProvider, Service
from casino_testing.wallet import new_id


@dataclass
class SpinningStudio(FakeProvider):
    """Answers launches as `FakeProvider` does, and spins by playing them at the wallet of `service`."""

    service: Service | None = None
    wins: list[int] = field(default_factory=list)
    """What the next spins pay; 0 after the last."""
    outcomes: dict[str, tuple[int, Content]] = field(default_factory=dict)
    """The answer of each spin that was played, by its player and its id."""
    before_bet: Callable[[Content], Awaitable[None]] | None = None
    """Runs before a spin's bet is sent, with what was asked."""
    says: list[tuple[int, Content]] = field(default_factory=list)
    """Answers to the next asks for a spin, which are not played."""
    is_lost: bool = False
    """The next answer of a played spin does not arrive."""
    asked_spins: list[Content] = field(default_factory=list)
    _playing: set[str] = field(default_factory=set)
    _calls: asyncio.Lock = field(default_factory=asyncio.Lock)
    """It calls the wallet for one spin after the other."""

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/provider/spin":
            return await super()._handle(request)
        asked = msgspec.json.decode(request.content)
        self.asked_spins.append(asked)
        status, content = self.says.pop(0) if self.says else await self._spin(asked)
        if self.is_lost:
            self.is_lost = False
            raise httpx.ReadError("as told", request=request)
        self.status, self.answer = status, content
        try:
            return await super()._handle(request)
        finally:
            self.status, self.answer = 200, None

    async def _spin(self, asked: Content) -> tuple[int, Content]:
        spin_id = f"{asked['userId']} {asked['spinId']}"
        if spin_id in self._playing:
            return 409, {"code": "session_busy", "error": "This spin is played now"}
        if spin_id not in self.outcomes:
            self._playing.add(spin_id)
            try:
                if self.before_bet is not None:
                    await self.before_bet(asked)
                async with self._calls:
                    self.outcomes[spin_id] = await self._play(asked)
            finally:
                self._playing.discard(spin_id)
        return self.outcomes[spin_id]

    async def _play(self, asked: Content) -> tuple[int, Content]:
        round_id, win = new_id("round"), self.wins.pop(0) if self.wins else 0
        bet = await self._call("debit", asked, transactionId=new_id("bet"), roundId=round_id, amount=asked["stake"])
        if bet.status_code != 200:
            return bet.status_code, bet.json()
        payout = await self._call(
            "credit", asked, transactionId=new_id("win"), roundId=round_id, amount=win, endRound=True,
            relatedTransactionId=bet.json()["transactionId"],
        )  # fmt: skip
        return 200, {
            "spinId": asked["spinId"], "roundId": round_id, "stake": asked["stake"], "win": win,
            "balance": payout.json()["balance"], "events": [{"type": "end", "win": win}],
            "configuration": {"version": 1, "hash": "0" * 64},
        }  # fmt: skip

    async def _call(self, endpoint: str, asked: Content, **fields: Any) -> httpx.Response:
        assert self.service is not None
        content = {name: asked[name] for name in ("sessionToken", "userId", "currency")}
        return await self.service.post(endpoint, {**content, **fields})
