"""Guests of the operator's platform while everything breaks: a voucher, its redeeming, spins, a bonus, a cash-out.

Each step is asked for under one id, at one process of the casino after the other, until it is answered. What was told
must be in the books, once.
"""

import itertools
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import httpx

from chaos.pairs import Pair
from e2e_testing.database import Row
from e2e_testing.platform_staff import Operator, operator_of

GUESTS = 2
FLOAT_MINOR = 10_000_000
VOUCHERS_MINOR = (3_000, 20_000)
"""The small one is lost soon: then its bonus is granted."""
STAKE_MINOR = 1_000
SPINS_MAX = 12
CALL_SECONDS_MAX = 20.0
LIMIT_MINOR = 4_500
LIMITED_SHARE = 4
"""One visit of four is of a guest who sets limits before playing: one that has the large voucher."""
PAUSE_SECONDS = 0.1
OVER_AGAIN = {401, 409, 429, 500, 502, 503}
"""Answers after which the same is asked for again. 401: a process with a stepped clock believes no token."""
NO_ANSWER = 599
EMPTY: Mapping[str, str] = MappingProxyType({})
PLAY_SESSION = "select play_session_id::text from casino.play_sessions where player_id = %(player)s"

PLAYED = """
    select spin.state, spin.round_id, spin.win_minor, spin.balance_minor, spin.bonus_triggered, round.staked_minor,
        round.paid_minor, round.credits
    from casino.spins as spin
    left join casino.rounds as round
        on round.ledger_id = spin.ledger_id and round.wallet_id = spin.wallet_id and round.round_id = spin.round_id
    where spin.player_id = %(player)s and spin.spin_id = %(spin)s
"""
BETS = """
    select count(*) as bets from casino.transactions join casino.wallets using (ledger_id, wallet_id)
    where player_id = %(player)s and kind = 'debit' and state = 'committed'
"""
PLAYERS = """
    select player_id, status, balance_minor from casino.players join casino.wallets using (ledger_id, player_id)
    where voucher_id = %(id)s
"""
VOUCHERS = "select count(*) as vouchers from casino.vouchers where tenant_id = %(tenant)s"
GRANTED = "select count(*) as bonuses from casino.bonuses where state = 'GRANTED'"


class Over(Exception):  # noqa: N818 - an event
    """The campaign has ended before an answer came."""


@dataclass(slots=True)
class Visit:
    """What one guest was told. `asked`: spins that were asked for; `told`: the results of those that were answered."""

    voucher_id: str
    player_id: str = ""
    asked: list[str] = field(default_factory=list)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    cashed_out_minor: int | None = None


@dataclass(slots=True)
class PlatformGuests:
    """The guests of one casino."""

    pair: Pair
    over: threading.Event
    visits: list[Visit] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    operator: Operator = field(init=False)
    _turns: "itertools.count[int]" = field(default_factory=itertools.count)

    def set_up(self) -> None:
        """Before the faults begin."""
        self.operator = operator_of(self.pair.casinos[0], float_minor=FLOAT_MINOR)

    def run(self) -> None:
        """All guests, each in a thread."""
        threads = [threading.Thread(target=self._stay, args=(number,), daemon=True) for number in range(GUESTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _stay(self, number: int) -> None:
        try:
            for visit in itertools.count(number):
                self._visit(VOUCHERS_MINOR[visit % len(VOUCHERS_MINOR)], has_limits=visit % LIMITED_SHARE == 1)
        except Over:
            return

    def _visit(self, voucher_minor: int, *, has_limits: bool) -> None:
        agent = self.operator.agent
        path = f"/voucher/agents/{agent.tenant_id}/vouchers"
        issued = self._done(path, {"amountMinor": voucher_minor}, agent.token)["voucher"]
        visit = Visit(issued["voucherId"])
        self.visits.append(visit)
        redeemed = self._done("/voucher/redeem", {"code": issued["code"], "pin": issued["pin"]}, None)
        visit.player_id, token = redeemed["player"]["playerId"], redeemed["token"]
        self.counts["vouchers_redeemed"] += 1
        if has_limits:
            self._set_limits(visit, token)
        balance = voucher_minor
        for _ in range(SPINS_MAX):
            if balance < STAKE_MINOR:
                break
            balance = self._spin(visit, token, balance)
        path = f"/admin/players/{visit.player_id}/cashout"
        paid = self._done(path, {"reason": "chaos"}, agent.token)
        visit.cashed_out_minor = paid["cashout"]["amountMinor"]
        self.counts["cash_outs"] += 1

    def _set_limits(self, visit: Visit, token: str) -> None:
        self._done("/player/limits", {"kind": "loss", "period": "day", "value": LIMIT_MINOR}, token)
        (row,) = self.pair.database.rows(PLAY_SESSION, player=visit.player_id)
        session = {"x-session-id": row["play_session_id"]}
        self._done("/safety/loss-limit", {"lossLimitCents": LIMIT_MINOR}, token, session)
        self.counts["guests_with_limits"] += 1

    def _spin(self, visit: Visit, token: str, balance: int) -> int:
        spin_id = uuid4().hex
        visit.asked.append(spin_id)
        content = {"stakeMinor": STAKE_MINOR, "gameCode": "SLOTS_001", "spinId": spin_id}
        status, told = self._answered("/bet/spin", content, token)
        if status == 200:
            visit.told[spin_id] = told["result"]
            self.counts["spins_of_guests"] += 1
            return int(told["result"]["balanceMinor"])
        visit.asked.remove(spin_id)
        if told["code"] == "BONUS_ACK_REQUIRED":
            self.counts["bonuses_acknowledged"] += 1
            self._done("/player/bonus/ack", {}, token)
            return balance
        self.counts[f"spins refused with {told['code']}"] += 1
        return 0

    def _done(
        self, path: str, content: object, token: str | None, further: Mapping[str, str] = EMPTY
    ) -> dict[str, Any]:
        status, told = self._answered(path, content, token, further)
        assert 200 <= status < 300, f"{path}: {status} {told}"
        return told

    def _answered(
        self, path: str, content: object, token: str | None, further: Mapping[str, str] = EMPTY
    ) -> tuple[int, dict[str, Any]]:
        """Ask until there is an answer. Raises Over."""
        if self.over.is_set():
            raise Over
        key, number = uuid4().hex, next(self._turns)
        headers = {
            "idempotency-key": key,
            "x-forwarded-for": f"10.1.{number // 250 % 250}.{number % 250 + 1}",
            **further,
        }
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        while True:
            casino = self.pair.casinos[next(self._turns) % len(self.pair.casinos)]
            try:
                answer = httpx.post(
                    f"{casino.url}/api/v1{path}", json=content, headers=headers, timeout=CALL_SECONDS_MAX,
                    trust_env=False, verify=False,
                )  # fmt: skip
            except httpx.HTTPError:
                answer = httpx.Response(NO_ANSWER, json={})
            if answer.status_code not in (*OVER_AGAIN, NO_ANSWER):
                return answer.status_code, answer.json()
            self.counts[f"asked again after {answer.status_code} {answer.json().get('code', '')}"] += 1
            if self.over.wait(PAUSE_SECONDS):
                raise Over

    def findings(self) -> list[str]:
        """What was told and is not in the books, or is there twice. What was asked last may be there unanswered."""
        database, found = self.pair.database, []
        vouchers = database.row(VOUCHERS, tenant=self.operator.agent.tenant_id)["vouchers"]
        if not 0 <= vouchers - len(self.visits) <= GUESTS:
            found.append(f"{len(self.visits)} vouchers were issued, {vouchers} are in the books")
        for visit in self.visits:
            players = database.rows(PLAYERS, id=visit.voucher_id)
            found += [f"voucher {visit.voucher_id} has {len(players)} players"] * (len(players) > 1)
            found += self._findings_of(visit, players)
        self.counts["bonuses_granted"] = database.row(GRANTED)["bonuses"]
        return found

    def _findings_of(self, visit: Visit, players: list[Row]) -> list[str]:
        database, found = self.pair.database, []
        if not visit.player_id:
            return found
        for spin_id, told in visit.told.items():
            (row,) = database.rows(PLAYED, player=visit.player_id, spin=spin_id)
            kept = (row["round_id"], row["win_minor"], row["balance_minor"], row["bonus_triggered"], row["credits"] > 0)
            said = (told["betId"], told["winMinor"], told["balanceMinor"], told["bonusTriggered"], True)
            if kept != said or (row["staked_minor"], row["paid_minor"]) != (STAKE_MINOR, told["winMinor"]):
                found.append(f"spin {spin_id} of {visit.player_id} was told as {told}, the books have {row}")
        bets = database.row(BETS, player=visit.player_id)["bets"]
        if not len(visit.told) <= bets <= len(visit.asked):
            found.append(f"{len(visit.told)} spins of {visit.player_id} were told, {bets} bets are in the books")
        if visit.cashed_out_minor is not None and [(row["status"], row["balance_minor"]) for row in players] != [
            ("CLOSED", 0)
        ]:
            found.append(f"{visit.player_id} was paid {visit.cashed_out_minor}, and is {players}")
        return found
