"""Players who bet straight at the wallet while something breaks, and remember every word of what they were told.

An answer is believed as a provider believes it: signed, or it is no answer.
"""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import httpx

from e2e_testing.answers import Answer, Peer
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.signing_client import Signer
from faults.background_play import BackgroundPlay
from shared_service_testing.waiting import WAIT_SECONDS_MAX, wait_until

Verdict = Literal["acknowledged", "refused", "nothing_done", "unknown"]

CALL_SECONDS = 8.0
"""How long a provider waits for the wallet (protocol.md section 7)."""
NOTHING_DONE = (409, 429, 503)
PAUSE_AFTER_TROUBLE_SECONDS = 0.03
STOP_SECONDS_MAX = 60.0
STAKE_MINOR = 1000


@dataclass(slots=True)
class Asked:
    """One money call as it was sent, and what its caller could believe of the answer."""

    endpoint: str
    content: JsonObject
    sent_at: float
    verdict: Verdict = "unknown"
    status: int | None = None
    body: bytes = b""
    answered_at: float = 0.0

    @property
    def transaction_id(self) -> str:
        return str(self.content["transactionId"])


@dataclass(slots=True)
class Recount:
    """What asking everything again has shown."""

    verdicts: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    done_although_rejected: list[str] = field(default_factory=list)
    disagreeing: list[str] = field(default_factory=list)
    unknown_that_were_booked: int = 0

    @property
    def acknowledged(self) -> int:
        return self.verdicts["acknowledged"]

    def require_nothing_lost(self) -> None:
        assert not self.lost, f"acknowledged and gone: {self.lost[:5]}"
        assert not self.done_although_rejected, f"503, yet booked: {self.done_although_rejected}"
        assert not self.disagreeing, f"asked twice, two answers: {self.disagreeing[:5]}"


class Betting(BackgroundPlay):
    """A load of one call in flight for each session, in a thread of its own; a context manager."""

    def __init__(
        self, casino: Peer, sessions: Sequence[GameSession], *, seed: int = 1, call_seconds: float = CALL_SECONDS
    ) -> None:
        super().__init__([self._run], join_seconds_max=STOP_SECONDS_MAX, if_late="a player never came back")
        self.asked: list[Asked] = []
        self._call_seconds = call_seconds
        self._signer = Signer(casino)
        self._sessions = sessions
        self._rng = random.Random(seed)

    def count(self, verdict: Verdict, *, answered: bool = False) -> int:
        """`answered`: without the calls that are still under way, which are unknown too."""
        return sum(asked.verdict == verdict and (asked.answered_at > 0 or not answered) for asked in self.asked)

    def wait_for(self, count: int, *, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Until that many more calls were acknowledged: the wallet works again."""
        wanted = self.count("acknowledged") + count

        def look() -> bool:
            meanwhile()
            return self.count("acknowledged") >= wanted

        wait_until(look, lambda: f"never {count} good answers: {self.verdicts()}")

    def wait_for_trouble(self, count: int) -> None:
        """Until that many more calls got anything but a good answer: the fault is felt."""
        wanted = self._troubled() + count
        wait_until(lambda: self._troubled() >= wanted, lambda: f"nobody felt anything: {self.verdicts()}")

    def wait_for_unknown(self) -> None:
        """Until some caller has given up, or could not believe its answer."""
        wait_until(lambda: self.count("unknown", answered=True), "nobody gave up")

    def _troubled(self) -> int:
        return sum(asked.verdict != "acknowledged" and asked.answered_at > 0 for asked in self.asked)

    def verdicts(self) -> Counter[str]:
        return Counter(asked.verdict for asked in self.asked)

    def longest_silence(self) -> float:
        """The longest time between two good answers, in seconds: what players felt of the fault."""
        times = sorted(asked.answered_at for asked in self.asked if asked.verdict == "acknowledged")
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)

    def ask_again(self) -> Recount:
        """Every id once more, and the unknown ones twice: the books must say what was said before."""
        return asyncio.run(self._ask_everything_again())

    def _run(self) -> None:
        asyncio.run(self._play_all())

    async def _play_all(self) -> None:
        async with _client(self._call_seconds) as http:
            await asyncio.gather(*(self._play(http, session) for session in self._sessions))

    async def _play(self, http: httpx.AsyncClient, session: GameSession) -> None:
        """Bet; then pay the bet, take it back, or leave it open."""
        while not self.over.is_set():
            bet = await self._ask(http, "debit", session.debit_content(STAKE_MINOR))
            if bet.verdict != "acknowledged":
                await asyncio.sleep(PAUSE_AFTER_TROUBLE_SECONDS)
                continue
            round_id, follows = str(bet.content["roundId"]), self._rng.randrange(3)
            if follows == 0:
                content = session.credit_content(STAKE_MINOR, round_id=round_id, related=bet.transaction_id)
                await self._ask(http, "credit", content)
            elif follows == 1:
                content = session.rollback_content(bet.transaction_id, round_id=round_id, transaction_id=new_id())
                await self._ask(http, "rollback", content)

    async def _ask(self, http: httpx.AsyncClient, endpoint: str, content: JsonObject) -> Asked:
        asked = Asked(endpoint, content, time.monotonic())
        self.asked.append(asked)
        answer = await self._send(http, asked)
        asked.answered_at = time.monotonic()
        if answer is not None:
            asked.status, asked.body = answer.status, answer.body
            asked.verdict = _verdict(answer)
        return asked

    async def _send(self, http: httpx.AsyncClient, asked: Asked) -> Answer | None:
        signed = self._signer.prepare("POST", f"/casino/{asked.endpoint}", asked.content)
        try:
            return self._signer.judge(signed, await http.send(signed.request))
        except httpx.TransportError:
            return None

    async def _ask_everything_again(self) -> Recount:
        result = Recount(self.verdicts())
        async with _client(CALL_SECONDS) as http:
            for asked in self.asked:
                first, in_doubt = await self._until_answered(http, asked)
                if asked.verdict == "acknowledged":
                    if not first.is_replay or first.body != asked.body:
                        result.lost.append(f"{asked.endpoint} {asked.transaction_id}: {first.status} {first.body!r}")
                elif asked.verdict == "nothing_done":
                    if first.is_replay and not in_doubt:
                        result.done_although_rejected.append(asked.transaction_id)
                elif asked.verdict == "unknown":
                    result.unknown_that_were_booked += first.is_replay
                    second, _ = await self._until_answered(http, asked)
                    if (second.status, second.body) != (first.status, first.body) and first.status == 200:
                        result.disagreeing.append(asked.transaction_id)
        return result

    async def _until_answered(self, http: httpx.AsyncClient, asked: Asked) -> tuple[Answer, bool]:
        """The answer, and whether it may repeat what a try before it did: one that had no answer of its own."""
        deadline, in_doubt = time.monotonic() + WAIT_SECONDS_MAX, False
        while True:
            answer = await self._send(http, asked)
            verdict = "unknown" if answer is None else _verdict(answer)
            if answer is not None and verdict in ("acknowledged", "refused"):
                return answer, in_doubt
            in_doubt = in_doubt or verdict == "unknown"
            assert time.monotonic() < deadline, f"{asked.transaction_id} never was answered"
            await asyncio.sleep(0.1)


def _client(call_seconds: float) -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=call_seconds, trust_env=False, verify=False)


def _verdict(answer: Answer) -> Verdict:
    """What the answer allows its caller to believe (protocol.md sections 2, 6 and 7)."""
    if answer.status in NOTHING_DONE:
        return "nothing_done"  # signed or not: the same id is sent again
    if answer.signature != "good" or answer.status >= 500:
        return "unknown"
    return "acknowledged" if answer.status == 200 else "refused"
