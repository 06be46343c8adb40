"""Unit tests of the signed bytes and of the header grammar."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_signing.canonical import (
    HEADER_MAX_BYTES,
    MalformedSignature,
    SignatureHeader,
    request_bytes,
    response_bytes,
)

MAC = "0123456789abcdef" * 4
NONCE = "n" * 32
HEADERS = st.builds(
    SignatureHeader,
    timestamp=st.integers(0, 10**12 - 1),
    nonce=st.from_regex("[0-9A-Za-z_-]{16,64}", fullmatch=True),
    key_id=st.from_regex("[0-9A-Za-z._-]{1,64}", fullmatch=True),
    mac=st.from_regex("[0-9a-f]{64}", fullmatch=True),
)


def test_a_request_is_six_lines_without_a_line_break_at_the_end() -> None:
    digest = hashlib.sha256(b"{}").hexdigest()
    text = request_bytes(timestamp=5, nonce=NONCE, method="POST", target="/a?b=c", body=b"{}")
    assert text == f"v1\n5\n{NONCE}\nPOST\n/a?b=c\n{digest}".encode()


def test_a_target_is_the_same_as_text_and_as_bytes() -> None:
    as_text = request_bytes(timestamp=5, nonce=NONCE, method="GET", target="/a%2Fb", body=b"")
    assert as_text == request_bytes(timestamp=5, nonce=NONCE, method="GET", target=b"/a%2Fb", body=b"")


def test_a_target_of_bytes_beyond_ascii_is_taken_as_it_is() -> None:
    assert b"\n/\xff\xe9\n" in request_bytes(timestamp=5, nonce=NONCE, method="GET", target=b"/\xff\xe9", body=b"")


def test_a_target_of_text_beyond_ascii_is_refused_because_it_has_no_wire_form() -> None:
    with pytest.raises(UnicodeEncodeError):
        request_bytes(timestamp=5, nonce=NONCE, method="GET", target="/é", body=b"")


def test_an_answer_is_five_lines_and_never_equal_to_a_request() -> None:
    digest = hashlib.sha256(b"{}").hexdigest()
    text = response_bytes(timestamp=5, nonce=NONCE, status=402, body=b"{}")
    assert text == f"v1-response\n5\n{NONCE}\n402\n{digest}".encode()


@given(HEADERS)
def test_what_is_rendered_is_read_back(header: SignatureHeader) -> None:
    text = header.render()
    assert len(text) <= HEADER_MAX_BYTES
    assert SignatureHeader.parse(text) == header
    assert SignatureHeader.parse(text.encode()) == header


@given(HEADERS, st.randoms(use_true_random=False))
def test_the_order_of_the_parameters_means_nothing(header: SignatureHeader, shuffle: random.Random) -> None:
    parts = [*header.render().split(","), "later=1", "x-y_z=="]
    shuffle.shuffle(parts)
    assert SignatureHeader.parse(",".join(parts)) == header


@given(st.one_of(st.binary(max_size=600), st.text(max_size=600)))
def test_reading_anything_raises_nothing_but_malformed_signature(value: bytes | str) -> None:
    try:
        header = SignatureHeader.parse(value)
    except MalformedSignature:
        return
    assert SignatureHeader.parse(header.render()) == header


@given(HEADERS, st.integers(0, 400))
def test_a_header_that_is_cut_short_is_malformed(header: SignatureHeader, kept: int) -> None:
    text = header.render()
    with pytest.raises(MalformedSignature):
        SignatureHeader.parse(text[: min(kept, len(text) - 1)])


@pytest.mark.parametrize("size", [HEADER_MAX_BYTES, HEADER_MAX_BYTES + 1])
def test_a_header_is_read_up_to_its_bound_and_no_further(size: int) -> None:
    start = f"t=5,n={NONCE},v1={MAC},pad="
    text = start + "x" * (size - len(start))
    if size > HEADER_MAX_BYTES:
        with pytest.raises(MalformedSignature, match="longer than"):
            SignatureHeader.parse(text)
    else:
        assert SignatureHeader.parse(text) == SignatureHeader(5, NONCE, "main", MAC)


def test_the_error_never_repeats_the_value() -> None:
    with pytest.raises(MalformedSignature) as caught:
        SignatureHeader.parse(f"t=5,n=sensitive,v1={MAC}")
    assert "sensitive" not in str(caught.value)
    assert MAC not in str(caught.value)
