"""The suite's own reading of docs/protocol.md: its vectors and its table of codes. Needs no stack."""

import re
from pathlib import Path
from typing import Any

from e2e_testing.answers import CODES_BY_STATUS
from e2e_testing.signing_client import answer_mac, answer_verdict, request_mac

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"
SECRET = "casino-secret"
NONCE = "0123456789abcdef0123456789abcdef"
ANSWER_BODY = b'{"userId":"1","balance":"1000000","currency":"USD"}'
ANSWER_MAC = "9e5d96c936830a6c8dbc098f53cefa0707071390bf41574b3815a64b7282431c"


def test_a_post_is_signed_as_the_vector_says() -> None:
    mac = request_mac(
        secret=SECRET,
        timestamp=1763690000,
        nonce=NONCE,
        method="POST",
        target=b"/casino/getBalance",
        body=b'{"sessionToken":"s","userId":"1"}',
    )
    assert mac == "43ec3136144be16ab6ca62b5c43be7fcf12925588172dcb6edc3a46bdeb1779c"


def test_a_get_is_signed_with_its_query_and_an_empty_body_as_the_vector_says() -> None:
    target = b"/casino/transactions?after=0&limit=100"
    mac = request_mac(secret=SECRET, timestamp=1763690000, nonce=NONCE, method="GET", target=target, body=b"")
    assert mac == "dab836d70bb3a9eccbb8cbd576a9298f21b3fb04a65e8196bd49935aabab3d14"


def test_an_answer_is_signed_as_the_vector_says() -> None:
    assert answer_mac(secret=SECRET, timestamp=1763690001, nonce=NONCE, status=200, body=ANSWER_BODY) == ANSWER_MAC


def test_the_suite_believes_the_vector_and_no_answer_that_differs_in_one_thing() -> None:
    header = f"t=1763690001,n={NONCE},k=main,v1={ANSWER_MAC}"
    right: dict[str, Any] = {"secret": SECRET, "nonce": NONCE, "status": 200, "body": ANSWER_BODY}
    assert answer_verdict([header], **right) == "good"
    assert answer_verdict([], **right) == "missing"
    wrongs: dict[str, Any] = {"secret": "other", "nonce": "f" * 32, "status": 402, "body": ANSWER_BODY + b" "}
    for name, value in wrongs.items():
        assert answer_verdict([header], **(right | {name: value})) == "bad", name
    assert answer_verdict([header, header], **right) == "bad"


def test_the_suite_knows_exactly_the_codes_of_the_contract() -> None:
    text = PROTOCOL.read_text()
    section_6 = re.split(r"^## 6\. ", text, flags=re.M)[1].split("\n## ")[0]
    table: dict[int, list[str]] = {}
    for statuses, codes in re.findall(r"^\| ([\d, ]+) \| (.*?) \|", section_6, flags=re.M):
        names = re.findall(r"`([a-z_]+)`", codes)
        numbers = [int(number) for number in statuses.split(",")]
        for position, number in enumerate(numbers):
            table.setdefault(number, []).extend(names if len(numbers) == 1 else [names[position]])
    assert {status: sorted(codes) for status, codes in CODES_BY_STATUS.items()} == {
        status: sorted(codes) for status, codes in table.items()
    }
