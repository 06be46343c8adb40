"""Protocol section 1: what is well formed. Whatever the bytes are, they become a command or a refusal."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casino.callbacks import messages
from casino.errors import Refused
from casino.wallet.commands import WalletCommand
from shared_service.http import decoding
from shared_signing.nonces import HandlersNonce

GOOD: dict[str, Any] = {
    "sessionToken": "s",
    "userId": "1",
    "transactionId": "t",
    "roundId": "r",
    "amount": 1000,
    "originalTransactionId": "o",
}
ARRIVAL = {"signed_by": "main", "peer": "main", "nonce": HandlersNonce("n" * 16, 0)}
DECODERS = [messages.debit, messages.credit, messages.rollback]


def code_of(body: bytes) -> str | None:
    try:
        decoding.decode_object(body)
    except Refused as refused:
        return refused.code
    return None


def refusal(decode: Any, **fields: Any) -> tuple[str, str | None] | None:
    try:
        decode({**GOOD, **fields}, "request", ARRIVAL)
    except Refused as refused:
        return refused.code, refused.field
    return None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{",
        b"{}{}",
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":01}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\x01"}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"{}//",
        b'{"a":1' + b"0" * 5_000 + b"",
        b'{"a":1' + b"0" * 5_000 + b',"a":1}',
        b'{"a":1e999,"b":NaN}',
        b'{"a":1e999,"b":"\xff"}',
        b"1" + b"0" * 5_000,
        b"[1e999]",
        b'{"a":' * 20_000,
        b"[" * 60_000,
        b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    ],
)
def test_what_is_not_one_json_object_is_malformed(body: bytes) -> None:
    assert code_of(body) == "malformed_json"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":2,"a":3}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":[{"b":1,"b":1}]}',
        b'{"a":"x:y","a":1}',
        b'{"":1,"":2}',
    ],
)
def test_a_key_that_comes_twice_is_malformed_at_any_depth(body: bytes) -> None:
    assert code_of(body) == "malformed_json"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"secret-name":1,"a":"secret-value","secret-name":2}', "secret-name"),
        (b'{"a":{"inner":1,"inner":"secret-value"}}', "inner"),
        (b'{"secret-value" 1}', "16"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'["secret-value"]', "object"),
    ],
)
def test_the_log_gets_the_doubled_key_or_the_position_and_no_value(body: bytes, told: str) -> None:
    with pytest.raises(Refused) as caught:
        decoding.decode_object(body)
    assert told in str(caught.value.why)
    assert "secret-value" not in str(caught.value.why)


def test_a_long_doubled_key_is_cut_for_the_log() -> None:
    with pytest.raises(Refused) as caught:
        decoding.decode_object(b'{"%b":1,"%b":2}' % ((b"k" * 10_000,) * 2))
    assert len(str(caught.value.why)) < 200


@pytest.mark.parametrize("body", [b"{}", b' {"a" : 1 } ', b'{"a":"b:c:d"}', b'{"a:":1,"b":{"a:":2}}', b'{"a":{"a":1}}'])
def test_colons_in_texts_and_equal_keys_in_different_objects_are_fine(body: bytes) -> None:
    assert code_of(body) is None


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(st.tuples(st.sampled_from(["a", "b", ":", ""]), inner), max_size=3)
    ),
    max_leaves=12,
)


def written(value: Any) -> tuple[str, bool]:
    """JSON text for lists of pairs, which may repeat a key; and whether one does."""
    if isinstance(value, list):
        parts = [written(item[1] if isinstance(item, tuple) else item) for item in value]
        twice = any(part[1] for part in parts)
        if value and all(isinstance(item, tuple) for item in value):
            keys = [item[0] for item in value]
            members = [f"{json.dumps(key)}:{part[0]}" for key, part in zip(keys, parts, strict=True)]
            return "{" + ",".join(members) + "}", twice or len(set(keys)) < len(keys)
        return "[" + ",".join(part[0] for part in parts) + "]", twice
    return json.dumps(value), False


@given(members=st.lists(st.tuples(st.sampled_from(["a", "b", "c", "x:y"]), nested), min_size=1, max_size=4))
def test_an_object_is_accepted_exactly_when_no_key_comes_twice(members: list[tuple[str, Any]]) -> None:
    text, twice = written(members)
    assert (code_of(text.encode()) == "malformed_json") == twice


@pytest.mark.parametrize(
    "value", ["", "a" * 129, "tab\t", "new\nline", "ümlaut", "\x7f", "\x00", 1.0, True, [], {}, "\u2028"]
)
@pytest.mark.parametrize("field", ["sessionToken", "userId", "transactionId", "roundId"])
def test_an_identifier_is_1_to_128_printable_ascii_characters(field: str, value: Any) -> None:
    for decode in DECODERS:
        assert refusal(decode, **{field: value}) == ("invalid_field", field)


@pytest.mark.parametrize("field", ["sessionToken", "userId", "transactionId", "roundId"])
def test_a_missing_identifier_is_named(field: str) -> None:
    for decode in DECODERS:
        assert refusal(decode, **{field: None}) == ("invalid_field", field)
    content = {name: value for name, value in GOOD.items() if name != field}
    with pytest.raises(Refused) as caught:
        messages.debit(content, "request", ARRIVAL)
    assert caught.value.field == field


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (-5, "-5"), (2**70, str(2**70)), (10**127, "1" + "0" * 127)])
def test_an_integer_identifier_means_its_decimal_string(value: int, text: str) -> None:
    assert messages.debit({**GOOD, "transactionId": value}, "r", ARRIVAL).transaction_id == text


@pytest.mark.parametrize("value", [10**128, -(10**127), 10**4000])
def test_an_integer_identifier_has_at_most_128_characters_too(value: int) -> None:
    assert refusal(messages.debit, transactionId=value) == ("invalid_field", "transactionId")


HUGE = ["9" * 129, "9" * 5_000, "-" + "9" * 5_000, "1e999", "-1e999", "9" * 5_000 + ".5", "1e" + "9" * 5_000]


@pytest.mark.parametrize("number", HUGE, ids=lambda number: number[:8])
@pytest.mark.parametrize("field", [*GOOD, "currency", "reason", "endRound", "other"])
def test_a_number_of_any_length_is_judged_as_the_value_of_its_field(field: str, number: str) -> None:
    body = json.dumps({**GOOD, field: "HERE"}).replace('"HERE"', number).encode()
    expected: tuple[str, str | None] | None = ("invalid_field", field)
    if field in ("originalTransactionId", "other"):  # a credit has no such field
        expected = None
    elif field == "amount":
        expected = ("bad_amount", None)
    assert refusal(messages.credit, **decoding.decode_object(body)) == expected


AMOUNT_MAX_MINOR = 2**53 - 1
BAD_AMOUNTS = [-1, 1.0, 10.5, True, False, "1000", None, [], {}, AMOUNT_MAX_MINOR + 1, 2**63, 10**40]


@pytest.mark.parametrize("value", [*BAD_AMOUNTS, 0])
def test_a_bet_is_an_integer_from_1_to_the_largest_exact_one(value: Any) -> None:
    """Row G3."""
    assert refusal(messages.debit, amount=value) == ("bad_amount", None)


@pytest.mark.parametrize("value", BAD_AMOUNTS)
def test_a_payout_is_an_integer_from_0_to_the_largest_exact_one(value: Any) -> None:
    """Row G3."""
    assert refusal(messages.credit, amount=value) == ("bad_amount", None)


@pytest.mark.parametrize(("decode", "least"), [(messages.debit, "1"), (messages.credit, "0")])
def test_the_refusal_of_an_amount_names_its_bounds(decode: Any, least: str) -> None:
    with pytest.raises(Refused) as caught:
        decode({**GOOD, "amount": -1}, "r", ARRIVAL)
    assert {least, str(AMOUNT_MAX_MINOR)} <= set(re.findall("[0-9]+", caught.value.sentence or ""))


@pytest.mark.parametrize("decode", [messages.debit, messages.credit])
def test_the_largest_amount_is_accepted_and_a_missing_one_is_named(decode: Any) -> None:
    assert decode({**GOOD, "amount": AMOUNT_MAX_MINOR}, "r", ARRIVAL).amount == AMOUNT_MAX_MINOR
    content = {name: value for name, value in GOOD.items() if name != "amount"}
    with pytest.raises(Refused) as caught:
        decode(content, "r", ARRIVAL)
    assert (caught.value.code, caught.value.field) == ("invalid_field", "amount")


@pytest.mark.parametrize(
    ("decode", "field", "value"),
    [
        (messages.debit, "currency", 5.5),
        (messages.debit, "currency", ""),
        (messages.debit, "reason", 5),
        (messages.debit, "reason", "x" * 257),
        (messages.debit, "reason", "nul\x00"),
        (messages.credit, "relatedTransactionId", ""),
        (messages.credit, "endRound", 1),
        (messages.credit, "endRound", "true"),
        (messages.rollback, "originalTransactionId", None),
        (messages.rollback, "originalTransactionId", True),
        (messages.rollback, "reason", ["x"]),
    ],
)
def test_an_optional_field_of_a_wrong_form_is_named(decode: Any, field: str, value: Any) -> None:
    assert refusal(decode, **{field: value}) == ("invalid_field", field)


def test_the_fields_of_an_endpoint_become_a_command() -> None:
    content = {**GOOD, "currency": "USD", "reason": "why – so", "relatedTransactionId": 7, "endRound": True}
    command = messages.credit(content, "request", ARRIVAL)
    assert (command.kind, command.amount, command.currency, command.reason) == ("credit", 1000, "USD", "why – so")
    assert (command.related_id, command.end_round, command.request_id) == ("7", True, "request")
    assert messages.rollback(content, "request", ARRIVAL).related_id == "o"
    assert messages.rollback(content, "request", ARRIVAL).amount == 0


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=140),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
fields = st.sampled_from([*GOOD, "currency", "reason", "relatedTransactionId", "endRound", "other"])


@given(changes=st.dictionaries(fields, values, max_size=4), decode=st.sampled_from(DECODERS))
def test_any_object_becomes_a_command_or_a_refusal(changes: dict[str, Any], decode: Any) -> None:
    body = json.dumps({**GOOD, **changes}).encode()
    try:
        command, refused = decode(decoding.decode_object(body), "request", ARRIVAL), None
    except Refused as error:
        command, refused = None, error
    if refused is None:
        assert isinstance(command, WalletCommand)
        assert 0 <= command.amount <= AMOUNT_MAX_MINOR
    else:
        assert refused.code in {"invalid_field", "bad_amount", "malformed_json"}
        assert refused.field in {None, *GOOD, *changes}


@given(body=st.binary(max_size=60) | st.text(alphabet='{}[]":,\\ua1eE+-.0nulltruefas ', max_size=40).map(str.encode))
def test_any_bytes_are_an_object_or_malformed(body: bytes) -> None:
    assert code_of(body) in {None, "malformed_json"}
