"""The provider's own errors against the contract."""

from __future__ import annotations

import json

import pytest

from provider.errors import ERRORS
from provider_testing.protocol_codes import codes_by_status


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_has_the_status_of_the_contract(code: str) -> None:
    assert codes_by_status()[code] == ERRORS[code].status


def test_an_error_is_rendered_with_its_code_and_the_request_id() -> None:
    status, headers, body = ERRORS.render("invalid_field", "r-1", field="userId")
    assert (status, dict(headers)[b"content-type"]) == (400, b"application/json")
    assert json.loads(body) == {
        "error": "A field is missing or not what it must be.",
        "code": "invalid_field",
        "requestId": "r-1",
        "field": "userId",
    }


def test_an_overloaded_answer_says_when_to_come_back() -> None:
    _, headers, _ = ERRORS.render("overloaded", "r-1")
    assert dict(headers)[b"retry-after"] == b"1"


def test_extras_are_rendered_beside_the_error() -> None:
    _, _, body = ERRORS.render("timestamp_out_of_window", "r-1", extras={"serverTime": 1763690000})
    assert json.loads(body)["serverTime"] == 1763690000
