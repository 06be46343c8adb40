"""The players of a campaign: each plays round after round, launches anew when told to, and notes every report.

A player is at one casino and plays the games of both studios in turn, so two studios bet from one wallet.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from chaos import limited_players
from chaos.chaos_stack import PROCESSES_OF_EACH, ChaosStack
from chaos.plan import Plan
from e2e_testing.signing_client import Signer
from e2e_testing.stack import CURRENCY, TENANT
from e2e_testing.two_pairs import NUMBERS, Relation, casino_code_of, game_of

PLAYERS = 40
POOR_SHARE = 5
COUNTED_SHARE = 4
"""Of four players the losses of two are counted, of one at each casino."""
"""Every so many-th player is poor, so that bets are refused for want of money."""
POOR_BALANCE_MINOR = 6_000
RICH_BALANCE_MINOR = 1_000_000
REST_SECONDS = 0.15
ROUNDS_OF_A_SEAT = 8
CALL_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a player was told of one round; `content` is empty where the request was cut."""

    player: str
    status: int | None
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seat:
    """A launched session of a casino at a studio."""

    relation: Relation
    token: str
    provider_session_id: str


@dataclass(slots=True)
class Players:
    """All players, in one event loop."""

    plan: Plan
    stack: ChaosStack
    over: asyncio.Event = field(default_factory=asyncio.Event)
    reports: list[Report] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def names(self) -> list[str]:
        return [f"player-{number:03d}" for number in range(PLAYERS)]

    def open_accounts(self) -> None:
        for number, name in enumerate(self.names):
            balance = POOR_BALANCE_MINOR if number % POOR_SHARE == 0 else RICH_BALANCE_MINOR
            self.stack.pair(casino_of(number)).database.rows(
                "select casino.open_player(%(tenant)s, %(player)s, %(name)s, %(currency)s, %(balance)s)",
                tenant=TENANT, player=name, name="Chaos player", currency=CURRENCY, balance=balance,
            )  # fmt: skip
            if number % COUNTED_SHARE < len(NUMBERS):
                limited_players.count(self.stack.pair(casino_of(number)).database, name)

    async def play(self) -> None:
        limits = httpx.Limits(max_connections=4 * PLAYERS, max_keepalive_connections=PLAYERS)
        client = httpx.AsyncClient(timeout=CALL_SECONDS_MAX, limits=limits, trust_env=False, verify=False)
        async with client as http, asyncio.TaskGroup() as group:
            for number, name in enumerate(self.names):
                group.create_task(self._play_on(http, number, name))

    async def _play_on(self, http: httpx.AsyncClient, number: int, name: str) -> None:
        seat: Seat | None = None
        played, launches = 0, number // len(NUMBERS)
        while not self.over.is_set():
            # Every player moves from process to process: nothing may live in the memory of one.
            turn = number // len(NUMBERS) + played
            try:
                if seat is None or played % ROUNDS_OF_A_SEAT == ROUNDS_OF_A_SEAT - 1:
                    # What the old seat left in doubt is cleared up while the player plays on in the new one.
                    played += seat is not None
                    launches += 1
                    studio = NUMBERS[launches % len(NUMBERS)]
                    seat = await self._launch(http, turn, name, (casino_of(number), studio))
                else:
                    played += 1
                    seat = await self._round(http, turn, name, seat, played)
            except httpx.HTTPError as error:
                self.counts[f"players cut off: {type(error).__name__}"] += 1
                if seat is not None:
                    self.reports.append(Report(name, None, {}))
            await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(REST_SECONDS):
                await self.over.wait()
        except TimeoutError:
            return

    async def _launch(self, http: httpx.AsyncClient, turn: int, name: str, relation: Relation) -> Seat | None:
        url = self.stack.pair(relation[0]).casinos[turn % PROCESSES_OF_EACH].url
        game_id, _ = game_of(relation)
        answer = await http.post(f"{url}/casino/launchGame", json={"userId": name, "gameId": game_id})
        self.counts[f"launches: {answer.status_code}"] += 1
        if answer.status_code != 201:
            return None
        content = answer.json()
        self.tokens.append(content["sessionToken"])
        return Seat(relation, content["sessionToken"], content["providerSessionId"])

    async def _round(self, http: httpx.AsyncClient, turn: int, name: str, seat: Seat, played: int) -> Seat | None:
        """Ask the provider for a round, as the casino would; the seat, unless it is lost."""
        seed = self.plan.round_seed(name, played)
        _, game_code = game_of(seat.relation)
        content = {
            "sessionToken": seat.token,
            "providerSessionId": seat.provider_session_id,
            "userId": name,
            "gameId": game_code,
            "currency": CURRENCY,
            "casinoCode": casino_code_of(seat.relation),
        } | ({} if seed is None else {"script": "mixed", "seed": seed})
        signer = self.stack.signer_of_casino(seat.relation, turn)
        answer = await send_signed(http, signer, "/provider/simulate", content)
        self.counts[f"rounds: {answer.status_code}"] += 1
        told = answer.json() if answer.headers.get("content-type") == "application/json" else {}
        self.reports.append(Report(name, answer.status_code, told))
        return None if answer.status_code in (403, 404) else seat


async def send_signed(
    http: httpx.AsyncClient, signer: Signer, target: str, content: dict[str, Any] | bytes
) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return await http.send(signer.prepare("POST", target, body).request)


def casino_of(number: int) -> int:
    """The casino at which the player of this number plays."""
    return NUMBERS[number % len(NUMBERS)]
