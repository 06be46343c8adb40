"""Protocol section 1: what a body may be. Every wrong one is a 400 with its code, never a 500, and moves nothing.

Row D6.
"""

import json

import pytest

from e2e_testing.answers import Answer
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.stack import Stack
from shared_service_testing.sampling import paired, sampled

LARGEST_AMOUNT = 9007199254740991
BODY_BYTES_MAX = 65536
CPU_SECONDS_MAX = 2.0
"""What an answer may cost the service; how long it takes, a busy machine decides."""


@pytest.fixture(scope="module")
def session(stack: Stack) -> GameSession:
    """One player for the whole file: nearly nothing here gets as far as the wallet."""
    return stack.session()


def post_raw(session: GameSession, body: bytes, *, endpoint: str = "debit") -> Answer:
    return session.wallet.post(f"/casino/{endpoint}", body)


def with_amount(session: GameSession, literal: str) -> bytes:
    """A good debit but for its amount, written exactly so."""
    content = json.dumps(session.debit_content("AMOUNT"))
    return content.replace('"AMOUNT"', literal).encode()


NOT_A_JSON_OBJECT = {
    "nothing": b"",
    "blank": b"  \n ",
    "half an object": b'{"userId": "1"',
    "two objects": b'{"userId":"1"}{"userId":"1"}',
    "a trailing comma": b'{"userId":"1",}',
    "single quotes": b"{'userId':'1'}",
    "a comment": b'{"userId":"1"} // hello',
    "an array": b'[{"userId":"1"}]',
    "an empty array": b"[]",
    "a string": b'"userId"',
    "a number": b"1000",
    "true": b"true",
    "null": b"null",
    "a byte order mark": b'\xef\xbb\xbf{"userId":"1"}',
    "UTF-16": '{"userId":"1"}'.encode("utf-16"),
    "bad UTF-8 in a value": b'{"userId":"\xff\xfe"}',
    "bad UTF-8 in a key": b'{"user\xc3":"1"}',
    "a surrogate in UTF-8": b'{"userId":"\xed\xa0\x80"}',
    "a raw control character": b'{"userId":"a\x00b"}',
    "a duplicate key": b'{"userId":"1","userId":"1"}',
    "a duplicate key, escaped": b'{"userId":"1","user\\u0049d":"2"}',
    "a duplicate unknown key": b'{"x":1,"x":1}',
    "a duplicate key deeper down": b'{"x":{"y":1,"y":2}}',
    "NaN": b'{"amount":NaN}',
    "NaN in an unknown key": b'{"x":NaN}',
    "Infinity": b'{"amount":Infinity}',
    "minus Infinity": b'{"amount":-Infinity}',
    "a number with leading zeros": b'{"amount":007}',
    "a number with a plus": b'{"amount":+7}',
    "a hexadecimal number": b'{"amount":0x10}',
    "deep arrays": b'{"x":' + b"[" * 30000 + b"]" * 30000 + b"}",
    "deep objects": b'{"a":' * 10000 + b"1" + b"}" * 10000,
    "open brackets": b"[" * 60000,
}


@pytest.mark.provokes("malformed_json")
@pytest.mark.parametrize("body", NOT_A_JSON_OBJECT.values(), ids=NOT_A_JSON_OBJECT.keys())
def test_a_body_that_is_not_a_json_object_is_malformed(stack: Stack, session: GameSession, body: bytes) -> None:
    before = [service.cpu_seconds for service in stack.services.values()]
    assert post_raw(session, body).verdict == (400, "malformed_json")
    for service, spent in zip(stack.services.values(), before, strict=True):
        assert service.cpu_seconds - spent < CPU_SECONDS_MAX


@pytest.mark.parametrize("endpoint", ["getBalance", "credit", "rollback"])
def test_the_other_wallet_endpoints_are_as_strict(session: GameSession, endpoint: str) -> None:
    for body in (b"[]", b"{", b'{"userId":"1","userId":"1"}', b'{"userId":"\xff"}', b'{"x":NaN}', b"\xef\xbb\xbf{}"):
        assert post_raw(session, body, endpoint=endpoint).verdict == (400, "malformed_json"), body


@pytest.mark.parametrize("endpoint", ["launch", "simulate"])
def test_the_provider_is_as_strict(stack: Stack, endpoint: str) -> None:
    provider = stack.signing_client(stack.provider)
    for body in (
        b"",
        b"[]",
        b"{",
        b'{"userId":"1","userId":"1"}',
        b'{"userId":"\xff"}',
        b'{"x":NaN}',
        b"\xef\xbb\xbf{}",
    ):
        assert provider.post(f"/provider/{endpoint}", body).verdict == (400, "malformed_json"), body


BAD_AMOUNTS = [
    "10.0", "1e3", "1E3", "1000.0", "0.1", "-1000", "-0.0", "-1", "0", "true", "false", '"1000"', '""', "null",
    "[1000]",     '{"minor":1000}', str(LARGEST_AMOUNT + 1), str(2**63), str(2**64), "1" + "0" * 400, "1e-400",
]  # fmt: skip
BAD_PAYOUTS = [literal for literal in BAD_AMOUNTS if literal != "0"]


@pytest.mark.provokes("bad_amount")
@pytest.mark.parametrize("literal", BAD_AMOUNTS, ids=lambda literal: literal[:24])
def test_a_stake_that_is_not_a_positive_integer_is_a_bad_amount(session: GameSession, literal: str) -> None:
    """Row G3. Pitfall 3."""
    before = session.balance()
    assert post_raw(session, with_amount(session, literal)).verdict == (400, "bad_amount")
    assert session.balance() == before


@pytest.mark.parametrize("literal", sampled(BAD_PAYOUTS, 6), ids=lambda literal: literal[:24])
def test_a_payout_that_is_not_an_integer_from_zero_is_a_bad_amount(session: GameSession, literal: str) -> None:
    """Row G3."""
    bet = session.bet()
    content = session.credit_content("AMOUNT", round_id=bet.round_id, related=bet.transaction_id)
    body = json.dumps(content).replace('"AMOUNT"', literal).encode()
    assert post_raw(session, body, endpoint="credit").verdict == (400, "bad_amount")


def test_a_number_beyond_every_float_is_refused_one_way_or_the_other(session: GameSession) -> None:
    answer = post_raw(session, with_amount(session, "1e400"))
    assert answer.status == 400
    assert answer.code in ("malformed_json", "bad_amount")


def test_an_absent_amount_is_refused(session: GameSession) -> None:
    content = session.debit_content()
    del content["amount"]
    answer = session.post("debit", content)
    assert answer.status == 400
    assert answer.code in ("bad_amount", "invalid_field")


def test_the_largest_amount_is_an_amount(session: GameSession) -> None:
    """Row G3. Refused for its size as a stake, not for its form."""
    assert session.debit(LARGEST_AMOUNT).verdict == (400, "stake_too_high")


REQUIRED_FIELDS = {
    "getBalance": ["sessionToken", "userId"],
    "debit": ["sessionToken", "userId", "transactionId", "roundId"],
    "credit": ["sessionToken", "userId", "transactionId", "roundId"],
    "rollback": ["sessionToken", "userId", "transactionId", "roundId", "originalTransactionId"],
}


def good_content(session: GameSession, endpoint: str) -> JsonObject:
    contents: dict[str, JsonObject] = {
        "getBalance": session.who(),
        "debit": session.debit_content(),
        "credit": session.credit_content(0, round_id=new_id(), related=new_id()),
        "rollback": session.rollback_content(new_id(), round_id=new_id()),
    }
    return contents[endpoint]


@pytest.mark.parametrize(
    ("endpoint", "field"), [(name, field) for name, all_ in REQUIRED_FIELDS.items() for field in all_]
)
def test_a_missing_field_is_named(session: GameSession, endpoint: str, field: str) -> None:
    content = good_content(session, endpoint)
    del content[field]
    answer = session.post(endpoint, content)
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), field)


BAD_IDS: dict[str, object] = {
    "empty": "",
    "129 characters": "x" * 129,
    "a newline": "a\nb",
    "a tab": "a\tb",
    "a null character": "a\x00b",
    "a letter outside ASCII": "Zoë",
    "an emoji": "🎰",
    "a float": 1.5,
    "a float without a fraction": 1.0,
    "true": True,
    "null": None,
    "a list": ["1"],
    "an object": {"id": "1"},
}


@pytest.mark.parametrize(("kind", "field"), paired(BAD_IDS, ("userId", "transactionId", "roundId", "sessionToken")))
def test_an_id_that_is_not_1_to_128_printable_ascii_is_refused(session: GameSession, field: str, kind: str) -> None:
    answer = session.post("debit", session.debit_content() | {field: BAD_IDS[kind]})
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), field)


def test_half_a_surrogate_pair_is_refused_one_way_or_the_other(session: GameSession) -> None:
    """Escaped in JSON it is text that no encoding can hold: a decoder may refuse the body, or we the field."""
    answer = session.post("debit", session.debit_content(reason="\ud800") | {"roundId": "\ud800"})
    assert answer.status == 400
    assert answer.code in ("malformed_json", "invalid_field")


@pytest.mark.parametrize("value", ["", "x" * 129, 1.5, True, [], "\x7f"], ids=repr)
def test_the_ids_of_other_bets_are_held_to_the_same(session: GameSession, value: object) -> None:
    bet = session.bet()
    credit = session.credit_content(0, round_id=bet.round_id) | {"relatedTransactionId": value}
    answer = session.post("credit", credit)
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), "relatedTransactionId")
    rollback = session.rollback_content(new_id(), round_id=bet.round_id) | {"originalTransactionId": value}
    answer = session.post("rollback", rollback)
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), "originalTransactionId")


@pytest.mark.parametrize("value", ["", 840, True, ["USD"]], ids=repr)
def test_a_currency_that_is_no_text_is_refused(session: GameSession, value: object) -> None:
    answer = session.post("debit", session.debit_content() | {"currency": value})
    assert answer.status == 400
    assert answer.code in ("invalid_field", "currency_mismatch")


def test_a_very_large_integer_id_means_its_decimal_string(session: GameSession) -> None:
    number = 10**40 + int(new_id().replace("-", "")[:8], 16)
    body = json.dumps(session.debit_content() | {"transactionId": number}).encode()
    assert post_raw(session, body).must_be_ok().content["transactionId"] == str(number)


def padded(session: GameSession, size_bytes: int) -> bytes:
    body = json.dumps(session.who() | {"padding": ""}).encode()
    return body.replace(b'"padding": ""', b'"padding": "' + b"x" * (size_bytes - len(body)) + b'"')


def test_a_body_of_64_kib_is_read(session: GameSession) -> None:
    body = padded(session, BODY_BYTES_MAX)
    assert len(body) == BODY_BYTES_MAX
    assert post_raw(session, body, endpoint="getBalance").status == 200


@pytest.mark.provokes("body_too_large")
def test_a_body_of_one_byte_more_is_too_large(session: GameSession) -> None:
    wallet = session.wallet
    body = padded(session, BODY_BYTES_MAX + 1)
    answer = wallet.send(wallet.signer.prepare("POST", "/casino/getBalance", body))
    assert answer.verdict == (413, "body_too_large")


def test_a_body_without_a_declared_length_is_measured_as_it_comes(session: GameSession) -> None:
    wallet = session.wallet
    signed = wallet.signer.prepare("POST", "/casino/getBalance", padded(session, BODY_BYTES_MAX + 1))
    chunks = [signed.request.content[start : start + 8192] for start in range(0, len(signed.request.content), 8192)]
    fields = [(key, value) for key, value in signed.request.headers.multi_items() if key != "content-length"]
    response = wallet.http.post(str(signed.request.url), content=iter(chunks), headers=fields)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
