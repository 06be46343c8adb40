"""The table of actions against the contract."""

from __future__ import annotations

import pytest

from provider.wallet_client.actions import ACTIONS, Step, action_for
from provider_testing.protocol_codes import codes_by_status


def test_the_contract_was_read() -> None:
    codes = codes_by_status()
    assert codes["body_too_large"] == 413
    assert codes["nonce_replay"] == 401


def test_every_code_of_the_contract_has_a_row_with_its_status() -> None:
    assert {code: action.status for code, action in ACTIONS.items() if code != "ok"} == codes_by_status()


@pytest.mark.parametrize("code", sorted(codes_by_status()))
def test_the_status_alone_tells_the_same_as_the_row(code: str) -> None:
    row = ACTIONS[code]
    assert action_for(row.status, None).step is row.step


@pytest.mark.parametrize("status", [100, 201, 204, 301, 307, 404, 418, 500, 501, 502, 504, 599])
def test_only_a_status_of_the_contract_is_a_refusal(status: int) -> None:
    expected = Step.REFUSE if status == 404 else Step.UNKNOWN
    assert action_for(status, "some_code_of_tomorrow").step is expected


def test_what_is_done_about_each_status_is_what_the_contract_says() -> None:
    """Protocol sections 6 and 7, written out once more: a row that was changed must not change its own test."""
    steps = {status: action_for(status, code).step for code, status in codes_by_status().items()}
    repeated, unknown = {409, 429, 503}, {415, 500, 502}
    assert {status for status, step in steps.items() if step is Step.RETRY} == repeated
    assert {status for status, step in steps.items() if step is Step.UNKNOWN} == unknown
    assert {status for status, step in steps.items() if step is Step.SIGN_ANEW} == {401}
    assert {status for status, step in steps.items() if step is Step.REFUSE} == set(steps) - repeated - unknown - {401}


def test_an_acceptance_code_with_an_error_status_is_no_acceptance() -> None:
    assert action_for(500, "ok").step is Step.UNKNOWN
    assert action_for(402, "ok").step is Step.REFUSE


def test_what_a_wallet_says_of_an_unsigned_header_decides_nothing() -> None:
    """Row B10. A flipped bit in `content-type` made a win refused for ever."""
    assert action_for(415, "unsupported_media_type").step is Step.UNKNOWN
    assert action_for(415, None).step is Step.UNKNOWN
