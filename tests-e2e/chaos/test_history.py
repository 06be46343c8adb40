"""A campaign can fail: each check of `history.py` finds the defect that is planted in a small history."""

from dataclasses import replace
from typing import Any

import pytest

from chaos import history
from chaos.history import Entry, Said
from chaos.verdict import Verdict

PLAYER = "alice"


def said(transaction_id: str | None, balance: int | None, at: float, **more: Any) -> Said:
    fields: dict[str, Any] = {
        "player": PLAYER,
        "endpoint": "debit",
        "transaction_id": transaction_id,
        "nonce": f"nonce-{transaction_id}-{at}",
        "status": 200,
        "code": None,
        "balance_minor": balance,
        "body": f"{transaction_id} {balance}".encode(),
        "replay": False,
        "sent_at": at,
        "answered_at": at + 0.5,
    }
    return Said(**fields | more)


def refusal(transaction_id: str, at: float, code: str, status: int = 402) -> Said:
    return said(transaction_id, None, at, status=status, code=code)


def entry(transaction_id: str, kind: str, balance: int, number: int | None, **more: Any) -> Entry:
    fields: dict[str, Any] = {"state": "committed"} | more
    return Entry(PLAYER, transaction_id, kind, fields.pop("state"), balance, number, **fields)


HISTORY = [
    said("bet-1", 900, 1),
    said("bet-1", 900, 2, replay=True),
    said("bet-2", 800, 3),
    said("undo-2", 900, 4, endpoint="rollback"),
    said(None, 900, 5, endpoint="getBalance"),
    refusal("bet-3", 6, "insufficient_balance"),
    said("win-1", 1100, 7, endpoint="credit"),
    refusal("bet-4", 8, "round_has_payout", status=400),
]
ENTRIES = [
    entry("opening", "deposit", 1000, 1),
    entry("bet-1", "debit", 900, 2),
    entry("bet-2", "debit", 800, 3, state="rolled_back"),
    entry("undo-2", "rollback", 900, 4),
    entry("bet-3", "debit", 900, None, state="refused", refusal_code="insufficient_balance"),
    entry("win-1", "credit", 1100, 5),
]


def ledger_of(entries: list[Entry]) -> dict[history.Key, Entry]:
    return {(one.player, one.transaction_id): one for one in entries}


def without(transaction_id: str) -> list[Entry]:
    return [one for one in ENTRIES if one.transaction_id != transaction_id]


def changed(transaction_id: str, **fields: Any) -> list[Entry]:
    return [replace(one, **fields) if one.transaction_id == transaction_id else one for one in ENTRIES]


def test_a_sound_history_has_no_findings() -> None:
    ledger = ledger_of(ENTRIES)
    assert list(history.lost_acknowledgements(HISTORY, ledger)) == []
    assert list(history.differing_replays(HISTORY)) == []
    assert list(history.double_effects(HISTORY)) == []
    assert list(history.ids_in_several_wallets(ENTRIES)) == []
    assert list(history.reused_nonces(HISTORY)) == []
    assert list(history.out_of_order(HISTORY, ledger)) == []


@pytest.mark.parametrize(
    "entries",
    [
        without("bet-1"),
        without("undo-2"),
        without("win-1"),
        without("bet-3"),
        changed("win-1", balance_after_minor=1099),
        changed("win-1", state="refused"),
        changed("win-1", kind="debit"),
        changed("bet-3", state="committed"),
        changed("bet-3", refusal_code="limit_exceeded"),
    ],
    ids=[
        "bet gone", "rollback gone", "win gone", "refusal gone", "balance", "win refused", "kind", "refusal done",
        "other refusal",
    ],
)  # fmt: skip
def test_an_acknowledgement_that_the_ledger_does_not_have_is_found(entries: list[Entry]) -> None:
    assert list(history.lost_acknowledgements(HISTORY, ledger_of(entries)))


def test_refusals_that_nobody_promised_to_keep_are_not_missed() -> None:
    unkept = [refusal("bet-9", 9, "session_player_mismatch", status=403), refusal("bet-9", 9, "stake_too_low", 400)]
    assert list(history.lost_acknowledgements(unkept, ledger_of(ENTRIES))) == []


def test_a_second_answer_under_one_id_is_found_when_a_byte_of_it_differs() -> None:
    again = replace(HISTORY[1], body=HISTORY[1].body + b" ")
    assert list(history.differing_replays([*HISTORY, again]))
    assert list(history.differing_replays([*HISTORY, refusal("bet-1", 9, "insufficient_balance")]))


def test_an_id_that_was_done_twice_is_found() -> None:
    assert list(history.double_effects([*HISTORY, replace(HISTORY[1], replay=False)]))


def test_an_id_in_two_wallets_is_found() -> None:
    assert list(history.ids_in_several_wallets([*ENTRIES, replace(ENTRIES[1], player="bob")]))


def test_a_nonce_that_was_accepted_twice_is_found() -> None:
    assert list(history.reused_nonces([*HISTORY, replace(HISTORY[2], nonce=HISTORY[0].nonce)]))


def test_two_answers_in_another_order_than_the_ledger_has_are_found() -> None:
    swapped = changed("undo-2", sequence_no=5, balance_after_minor=900)
    swapped = [replace(one, sequence_no=4) if one.transaction_id == "win-1" else one for one in swapped]
    assert list(history.out_of_order(HISTORY, ledger_of(swapped)))


def test_answers_that_overlap_may_have_either_order() -> None:
    overlapping = [replace(one, sent_at=0.0, answered_at=100.0) for one in HISTORY]
    swapped = changed("bet-2", sequence_no=2)
    swapped = [replace(one, sequence_no=3) if one.transaction_id == "bet-1" else one for one in swapped]
    assert list(history.out_of_order(overlapping, ledger_of(swapped))) == []


@pytest.mark.parametrize("balance", [1000, 800, 1100, 901])
def test_a_balance_that_the_wallet_did_not_have_at_that_time_is_found(balance: int) -> None:
    asked = replace(HISTORY[4], balance_minor=balance)
    assert list(history.out_of_order([*HISTORY[:4], asked, *HISTORY[5:]], ledger_of(ENTRIES)))


def step(transaction_id: str, balance: str, **more: Any) -> dict[str, Any]:
    told = {"transactionId": transaction_id, "balance": balance}
    asked = {"transactionId": transaction_id}
    return {"action": "a step", "status": 200, "passed": True, "request": asked, "response": told} | more


OURS = {(PLAYER, "bet-1"): "settled", (PLAYER, "win-1"): "committed"}


def test_what_players_were_told_is_looked_up_in_both_books() -> None:
    told = [(PLAYER, step("bet-1", "900")), (PLAYER, step("win-1", "1100")), (PLAYER, step("x", "1", status=400))]
    assert list(history.lost_reports(told, ledger_of(ENTRIES), OURS)) == []
    for entries, ours in [
        (without("bet-1"), OURS),
        (changed("bet-1", state="refused"), OURS),
        (changed("bet-1", balance_after_minor=901), OURS),
        (ENTRIES, {}),
        (ENTRIES, OURS | {(PLAYER, "bet-1"): "pending"}),
        (ENTRIES, OURS | {(PLAYER, "win-1"): "refused"}),
    ]:
        assert list(history.lost_reports(told, ledger_of(entries), ours))


REACHED = {
    "tombstones_of_real_bets": 1, "late_debits_refused": 1, "replays": 1, "unknown_outcomes": 1,
    "signed_answers": 1, "looks_at_the_ledger": 1, "moves_of_the_house": 1, "old_requests_sent_again": 1,
    "vouchers_redeemed": 1, "spins_of_guests": 1, "webhook_messages": 1,
    **dict.fromkeys((f"bets_of_studio_{studio}_at_casino_{casino}" for studio in (1, 2) for casino in (1, 2)), 1),
}  # fmt: skip


def test_a_run_is_green_only_without_findings_and_with_every_state_reached() -> None:
    verdict = Verdict()
    verdict.hold("a check", [])
    verdict.reached.update(REACHED)
    assert (verdict.word, verdict.exit_status) == ("green", 0)
    verdict.hold("another", ["a finding"])
    assert (verdict.word, verdict.exit_status) == ("red", 1)
    assert any("a finding" in line for line in verdict.lines())


@pytest.mark.parametrize("state", REACHED)
def test_a_run_that_never_reached_a_state_is_void(state: str) -> None:
    verdict = Verdict({"a check": []})
    verdict.reached.update(REACHED | {state: 0})
    assert verdict.word == "VOID"
    assert verdict.exit_status not in (0, 1)


def test_an_answer_has_the_balance_after_the_bonus_that_came_with_it() -> None:
    told = [(PLAYER, step("win-1", "1600"))]
    assert list(history.lost_reports(told, ledger_of(changed("win-1", bonus_minor=500)), OURS)) == []
    assert list(history.lost_reports(told, ledger_of(ENTRIES), OURS))
