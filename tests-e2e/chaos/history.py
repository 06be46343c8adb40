"""What was said on the wire beside what stands in the ledger: the checks of a campaign on its own history.

Pure functions from a history to findings, so a small history with a planted defect shows that each check can fail.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MONEY_ENDPOINTS = ("debit", "credit", "rollback")
RECORDED_STATUSES = (200, 402, 403, 423)
NOT_RECORDED_CODES = ("session_player_mismatch",)

Key = tuple[str, str]
"""A player and a transaction id: ids are scoped to the player."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the wallet's ledger."""

    player: str
    transaction_id: str
    kind: str
    state: str
    balance_after_minor: int
    sequence_no: int | None
    refusal_code: str | None = None
    bonus_minor: int = 0
    """Granted in the same step: the answer's balance has it, the entry's own has not."""

    @property
    def answered_balance_minor(self) -> int:
        return self.balance_after_minor + self.bonus_minor


@dataclass(frozen=True, slots=True)
class Said:
    """One signed answer of the wallet, as the wallet sent it. Times are monotonic seconds."""

    player: str
    endpoint: str
    transaction_id: str | None
    nonce: str
    status: int
    code: str | None
    balance_minor: int | None
    body: bytes
    replay: bool
    sent_at: float
    answered_at: float

    @property
    def key(self) -> Key:
        return self.player, self.transaction_id or ""

    @property
    def is_recorded(self) -> bool:
        """Whether the wallet promised that this answer stands for ever."""
        decided = self.endpoint in MONEY_ENDPOINTS and self.status in RECORDED_STATUSES
        return decided and self.code not in NOT_RECORDED_CODES

    def __str__(self) -> str:
        return f"{self.player} {self.endpoint} {self.transaction_id}: {self.status} {self.code or ''} {self.body!r}"


Ledger = Mapping[Key, Entry]


def lost_acknowledgements(said: Iterable[Said], ledger: Ledger) -> Iterator[str]:
    """I4: what the wallet has signed stands in its ledger, as it was signed."""
    for one in said:
        if not one.is_recorded:
            continue
        entry = ledger.get(one.key)
        if entry is None:
            yield f"signed and not in the ledger: {one}"
        elif entry.kind != one.endpoint:
            yield f"signed as a {one.endpoint}, in the ledger as a {entry.kind}: {one}"
        elif (one.status == 200) == (entry.state == "refused"):
            yield f"signed otherwise than the ledger has it ({entry.state}): {one}"
        elif one.status == 200 and one.balance_minor != entry.answered_balance_minor:
            yield f"signed with another balance than the ledger's {entry.answered_balance_minor}: {one}"
        elif one.status != 200 and one.code != entry.refusal_code:
            yield f"refused otherwise than the ledger has it ({entry.refusal_code}): {one}"


def lost_reports(
    steps: Iterable[tuple[str, Mapping[str, Any]]], ledger: Ledger, ours: Mapping[Key, str]
) -> Iterator[str]:
    """I4 at the far end: what a player was told of a step stands in both books. `ours`: states at the provider."""
    for player, step in steps:
        asked, told = step.get("request") or {}, step.get("response") or {}
        if step.get("status") != 200 or not told or "transactionId" not in asked:
            continue
        key = player, str(asked["transactionId"])
        entry = ledger.get(key)
        if entry is None or entry.state == "refused":
            yield f"{player} was told that {step['action']} was done, and the ledger does not have it: {told}"
        elif told["balance"] != str(entry.answered_balance_minor):
            yield f"{player} was told another balance than the ledger's {entry.answered_balance_minor}: {told}"
        elif step.get("passed") and ours.get(key) not in ("committed", "settled", "rolled_back"):
            yield f"{player} was told that {step['action']} passed, at the provider it is {ours.get(key)}: {told}"


def differing_replays(said: Iterable[Said]) -> Iterator[str]:
    """I5: one id, one stored answer, byte for byte, whichever process answers."""
    bodies: defaultdict[Key, dict[tuple[int, bytes], Said]] = defaultdict(dict)
    for one in said:
        if one.is_recorded:
            bodies[one.key].setdefault((one.status, one.body), one)
    for answers in bodies.values():
        if len(answers) > 1:
            yield "one id, several answers: " + " | ".join(str(one) for one in answers.values())


def double_effects(said: Iterable[Said]) -> Iterator[str]:
    """I5: of all answers with one id at most one was the first; the others say that they are replays."""
    first: dict[Key, Said] = {}
    for one in said:
        if one.is_recorded and not one.replay:
            if one.key in first:
                yield f"done twice: {first[one.key]} and {one}"
            first[one.key] = one


def ids_in_several_wallets(ledger: Iterable[Entry]) -> Iterator[str]:
    """No id of the provider's, which are unique, took effect in two wallets."""
    seen: dict[str, str] = {}
    for entry in ledger:
        if entry.kind in MONEY_ENDPOINTS and seen.setdefault(entry.transaction_id, entry.player) != entry.player:
            yield f"{entry.transaction_id} is in the wallets of {seen[entry.transaction_id]} and {entry.player}"


def reused_nonces(said: Iterable[Said]) -> Iterator[str]:
    """I10: a signed answer means that the request was accepted as fresh, so each nonce has at most one."""
    seen: dict[str, Said] = {}
    for one in said:
        if one.nonce in seen:
            yield f"accepted twice under one nonce: {seen[one.nonce]} and {one}"
        seen[one.nonce] = one


def out_of_order(said: Iterable[Said], ledger: Ledger) -> Iterator[str]:
    """I8: each wallet is linear. What was answered before something else was sent comes before it in the sequence."""
    by_player: defaultdict[str, list[Said]] = defaultdict(list)
    for one in said:
        if one.status == 200 and not one.replay:
            by_player[one.player].append(one)
    balances: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for entry in ledger.values():
        if entry.sequence_no is not None:
            balances[entry.player][entry.sequence_no] = entry.balance_after_minor
    for player, answers in by_player.items():
        yield from _out_of_order(answers, ledger, balances[player])


def _out_of_order(answers: Sequence[Said], ledger: Ledger, balances: Mapping[int, int]) -> Iterator[str]:
    moves = [(one, entry.sequence_no) for one in answers if (entry := ledger.get(one.key)) and entry.sequence_no]
    by_answer = sorted(moves, key=lambda move: move[0].answered_at)
    answered = [one.answered_at for one, _ in by_answer]
    highest = _running([number for _, number in by_answer], max)
    by_sending = sorted(moves, key=lambda move: move[0].sent_at, reverse=True)
    sent = [-one.sent_at for one, _ in by_sending]
    lowest = _running([number for _, number in by_sending], min)
    for one, number in moves:
        before = bisect_left(answered, one.sent_at)
        if before and highest[before - 1] >= number:
            yield f"number {number} although {highest[before - 1]} had been answered before it was sent: {one}"
    for one in answers:
        if one.endpoint != "getBalance":
            continue
        done, begun = bisect_left(answered, one.sent_at), bisect_left(sent, -one.answered_at)
        least = highest[done - 1] if done else min(balances, default=0)
        most = lowest[begun - 1] - 1 if begun else max(balances, default=0)
        if not any(balances.get(number) == one.balance_minor for number in range(least, most + 1)):
            yield f"a balance that the wallet did not have between numbers {least} and {most}: {one}"


def _running(numbers: Sequence[int], choose: Any) -> list[int]:
    best: list[int] = []
    for number in numbers:
        best.append(choose(best[-1], number) if best else number)
    return best
