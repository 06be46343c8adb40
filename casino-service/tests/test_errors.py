"""The error table: it agrees with the documents, and what was once answered can be answered again for ever."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from casino.callbacks import messages
from casino.errors import ERRORS
from casino.wallet.commands import WalletCommand, WalletOutcome

DOCS = Path(__file__).parents[2] / "docs"
# Codes of other services, or of features that the casino does not have yet.
NOT_OURS = {
    *("round_not_found", "operator_unreachable", "operator_rejected", "operator_bad_response"),
    "casino_draining",
}
OURS_ALONE = {"access_token_missing", "access_token_invalid"}


def codes_of_protocol() -> dict[str, int]:
    section = (DOCS / "protocol.md").read_text("utf-8").split("\n## 6.")[1].split("\n## 7.")[0]
    codes: dict[str, int] = {}
    for line in section.splitlines():
        cells = line.split("|")
        if len(cells) > 3 and re.match(r"\s*\d{3}", cells[1]):
            statuses = [int(status) for status in re.findall(r"\d{3}", cells[1])]
            found = re.findall(r"`([a-z_]+)`", cells[2])
            pairs = zip(statuses, found, strict=True) if len(statuses) > 1 else ((statuses[0], code) for code in found)
            codes.update({code: status for status, code in pairs})
    return codes


def test_every_code_of_the_protocol_is_in_the_table_with_its_status() -> None:
    wanted = {code: status for code, status in codes_of_protocol().items() if code not in NOT_OURS}
    assert len(wanted) > 25
    table = {code: kind.status for code, kind in ERRORS.items() if code not in OURS_ALONE}
    assert table == wanted


def test_codes_are_snake_case_and_sentences_are_for_people() -> None:
    for code, kind in ERRORS.items():
        assert code == kind.code
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
        assert kind.sentence[0].isupper()
        assert not kind.sentence.endswith(".")
        assert 400 <= kind.status <= 599


REMEMBERED = {
    "insufficient_balance": (402, "Insufficient balance"),
    "player_excluded": (403, "The player is excluded from play"),
    "wallet_blocked": (403, "The wallet is blocked"),
    "limit_exceeded": (403, "A limit of the player has been reached"),
    "session_time_limit": (403, "A time limit has been reached"),
    "cooldown_active": (403, "The player is taking a break"),
    "bonus_ack_required": (403, "The player has to acknowledge a bonus first"),
    "game_disabled": (423, "The game is under maintenance"),
    "play_stopped": (423, "The operator has stopped play"),
    "provider_draining": (423, "The game's provider takes no new bets"),
}
PLAYER_MESSAGES = {
    "insufficient_balance": "Your balance is too low for this bet.",
    "wallet_blocked": "Your account is not open for play.",
    "game_disabled": "This game is closed for maintenance.",
    "player_excluded": "You are excluded from play.",
    "limit_exceeded": "You have reached your limit.",
    "session_time_limit": "You have reached your time limit.",
    "cooldown_active": "You are taking a break from play.",
    "provider_draining": "This game is closed for maintenance.",
    "play_stopped": "Play is stopped for now.",
    "bonus_ack_required": "You were granted a bonus. Please confirm it to go on.",
}
"""Of refusals that were recorded since 0.2. Those from before have none, and their replays have none either."""


def test_every_refusal_that_is_remembered_has_its_sentence_here() -> None:
    """Protocol section 4, rule 2: those with 402, 403 and 423, except what is found before the id is looked up."""
    found_before = {"session_player_mismatch", "session_fingerprint_mismatch"}
    assert REMEMBERED.keys() == {code for code, kind in ERRORS.items() if kind.status in (402, 403, 423)} - found_before


@pytest.mark.parametrize("recorded", ["before 0.2", "since 0.2"])
@pytest.mark.parametrize("code", REMEMBERED)
def test_a_remembered_refusal_has_the_same_bytes_in_every_release(code: str, recorded: str) -> None:
    """Only the code is stored: a changed sentence would change answers that were given long ago."""
    status, sentence = REMEMBERED[code]
    command = WalletCommand(
        kind="debit",
        provider_id="main",
        token_hash="",
        player_id="1",
        transaction_id="t",
        round_id="r",
        request_id="now",
        signed_by="main",
    )
    is_old = recorded == "before 0.2"
    outcome = WalletOutcome(code, "bare" if is_old else None, True, None, "USD", False, False, "then")
    answer = messages.render_outcome(command, outcome)
    told = f',"playerMessage":"{PLAYER_MESSAGES[code]}"' if code in PLAYER_MESSAGES and not is_old else ""
    body = f'{{"error":"{sentence}","code":"{code}","requestId":"then"{told}}}'.encode()
    assert (answer[0], answer[2]) == (status, body)
    assert (b"idempotent-replay", b"true") in answer[1]


ACCEPTED: list[tuple[dict[str, Any], bytes]] = [
    ({}, b'{"transactionId":"t","balance":"7","currency":"USD","status":"ok"}'),
    ({"tombstone": True}, b'{"transactionId":"t","balance":"7","currency":"USD","status":"ok","tombstone":true}'),
    (
        {"tombstone": True, "already_rolled_back": True},
        b'{"transactionId":"t","balance":"7","currency":"USD","status":"ok","tombstone":true,"alreadyRolledBack":true}',
    ),
    ({"head": "3:ab"}, b'{"transactionId":"t","balance":"7","currency":"USD","status":"ok","head":"3:ab"}'),
    (
        {"tombstone": True, "already_rolled_back": True, "head": "3:ab"},
        b'{"transactionId":"t","balance":"7","currency":"USD","status":"ok","tombstone":true,"alreadyRolledBack":true,'
        b'"head":"3:ab"}',
    ),
]


@pytest.mark.parametrize(("flags", "body"), ACCEPTED)
def test_an_acceptance_has_the_same_bytes_in_every_release(flags: dict[str, Any], body: bytes) -> None:
    command = WalletCommand(
        kind="rollback",
        provider_id="main",
        token_hash="",
        player_id="1",
        transaction_id="t",
        round_id="r",
        request_id="now",
        signed_by="main",
    )
    given = {"tombstone": False, "already_rolled_back": False, **flags}
    outcome = WalletOutcome(None, None, True, 7, "USD", request_id="then", **given)
    assert messages.render_outcome(command, outcome)[2] == body


def test_the_sentence_of_a_late_rollback_is_the_protocols() -> None:
    assert ERRORS["round_has_payout"].sentence == "Cannot rollback: round already has a payout"
