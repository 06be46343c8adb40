"""Bodies of calls to a wallet, and hostile answers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from provider.wallet_client.messages import (
    BadAnswer,
    Head,
    WalletSession,
    balance_call,
    mask_token,
    money_call,
    read_answer,
    read_error,
)

SESSION = WalletSession("1", "USD", "the-token")
CALL = money_call("debit", transaction_id="t", round_id="r", amount_minor=1000, currency="USD")
GOOD = {"transactionId": "t", "balance": "1000", "currency": "USD", "status": "ok"}


def test_a_debit_says_who_what_and_how_much() -> None:
    assert CALL.path == "/casino/debit"
    assert json.loads(CALL.encode(SESSION)) == {
        "sessionToken": "the-token",
        "userId": "1",
        "transactionId": "t",
        "roundId": "r",
        "amount": 1000,
        "currency": "USD",
    }


def test_a_rollback_names_the_bet_and_no_amount() -> None:
    call = money_call("rollback", transaction_id="t", round_id="r", amount_minor=1000, original_transaction_id="b")
    body = call.body(SESSION)
    assert "amount" not in body
    assert body["originalTransactionId"] == "b"


def test_a_call_has_the_same_bytes_each_time() -> None:
    assert CALL.encode(SESSION) == CALL.encode(SESSION)


@pytest.mark.parametrize("balance", ["0", "1", "999999999999999999", "1000000000000000000", str(2**62)])
def test_a_good_answer_is_read(balance: str) -> None:
    assert read_answer(CALL, SESSION, json.dumps(GOOD | {"balance": balance}).encode()).balance_minor == int(balance)


@pytest.mark.parametrize(
    "changed",
    [
        {"balance": balance}
        for balance in (
            "-1",
            "",
            "1.0",
            "1e3",
            "+1",
            " 1",
            "01",
            "١",
            "9" * 19,
            str(2**62 + 1),
            str(2**63),
            "9" * 400,
            1000,
            None,
            True,
            ["1"],
            "NaN",
        )
    ]
    + [{"currency": value} for value in ("EUR", "usd", None, 1)]
    + [{"transactionId": value} for value in ("T", "", None, 1)]
    + [{"status": value} for value in ("OK", "error", None, True)],
    ids=str,
)
def test_an_answer_that_breaks_a_rule_is_no_answer(changed: dict[str, Any]) -> None:
    """Row B11. Pitfall 5."""
    with pytest.raises(BadAnswer):
        read_answer(CALL, SESSION, json.dumps(GOOD | changed).encode())


def test_a_balance_of_another_player_is_no_answer() -> None:
    body = {"userId": "2", "balance": "1", "currency": "USD"}
    with pytest.raises(BadAnswer, match="player"):
        read_answer(balance_call(), SESSION, json.dumps(body).encode())


@pytest.mark.parametrize("code", [b"1", b'"No Code"', b'"' + b"x" * 99 + b'"', b'{}, "code": "ok"'])
def test_an_error_without_a_readable_code_has_none(code: bytes) -> None:
    assert read_error(b'{"code":' + code + b"}")[1] is None


@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
def test_an_error_that_is_no_object_has_no_code(body: bytes) -> None:
    assert read_error(body) == ({}, None)


def test_a_token_is_in_no_repr_and_masked_wherever_it_stands() -> None:
    assert "the-token" not in repr(SESSION)
    members = {"sessionToken": "the-token", "echo": "x the-token y", "the-token": 1, "deep": {"a": ["the-token"]}}
    shown = mask_token(members, "the-token")
    assert "the-token" not in str(shown)
    assert shown["sessionToken"] == "****"


@pytest.mark.parametrize("token", ["1", '"', "\\", " ", "e", "0000"])
def test_a_token_of_any_shape_is_masked(token: str) -> None:
    members = {"sessionToken": token, "amount": 1000, "userId": token, "n": 1}
    shown = msgspec.json.decode(msgspec.json.encode(mask_token(members, token)))
    assert shown["sessionToken"] == shown.get("userId", "****") == "****"


HOSTILE = {
    "deep": json.loads("[" * 900 + "]" * 900),
    "huge": 10**400,
    "infinite": 1e999,
    "surrogate": "\ud800",
    "long": "x" * 10_000,
    **{f"m{number}": number for number in range(1000)},
}


def test_a_hostile_answer_can_be_shown() -> None:
    shown = msgspec.json.encode(mask_token(HOSTILE, "the-token"))
    assert len(shown) < 2000


def test_the_head_of_the_wallets_chain_is_read_and_a_wallet_without_one_is_fine() -> None:
    told = read_answer(CALL, SESSION, json.dumps(GOOD | {"head": f"17:{'a1' * 32}"}).encode())
    assert told.head == Head(17, "a1" * 32)
    assert read_answer(CALL, SESSION, json.dumps(GOOD).encode()).head is None
    assert read_answer(CALL, SESSION, json.dumps(GOOD | {"head": None}).encode()).head is None


@pytest.mark.parametrize(
    "head",
    ["", "17", f"17:{'A1' * 32}", f"0:{'a' * 64}", f"-1:{'a' * 64}", f"017:{'a' * 64}", f"17:{'a' * 63}",
     f"17:{'a' * 65}", f"17:{'a' * 64}\n", f"{10**19}:{'a' * 64}", f"{2**63}:{'a' * 64}",
     17, ["17"], {}, True, f"\u0661:{'a' * 64}"],
)  # fmt: skip
def test_a_malformed_head_is_a_bad_answer(head: object) -> None:
    with pytest.raises(BadAnswer, match="head"):
        read_answer(CALL, SESSION, json.dumps(GOOD | {"head": head}).encode())
