"""Ambiguous or invalid JSON is malformed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.errors import Refused
from provider.wire import MalformedJson, currency, read_object


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"{",
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xff"}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":1}{}',
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"a":' + b"9" * 10_000 + b"}",
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_can_be_read_in_two_ways_or_none_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson) as malformed:
        read_object(body)
    assert malformed.value.__cause__ is None  # the decoder's own error carries the whole document


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_malformed(body: bytes) -> None:
    with contextlib.suppress(MalformedJson):
        assert isinstance(read_object(body), dict)


@pytest.mark.parametrize("value", ["US", "usd", "USD ", "U$D", 840, None, "X" * 9])
def test_what_is_no_currency_is_refused_by_name(value: object) -> None:
    with pytest.raises(Refused) as refused:
        currency({"currency": value}, "currency")
    assert refused.value.field == "currency"
