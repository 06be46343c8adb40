"""Protocol section 2, answers: every status of every signed endpoint is signed, bound to the request's nonce.

Most of the suite proves it by the way: `SigningClient.post` and `.get` fail on any answer without a good signature.
"""

import json
import secrets
from dataclasses import replace
from typing import Any

import pytest

from e2e_testing.answers import Answer
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.signing_client import SigningClient, answer_verdict
from e2e_testing.stack import Stack, StartStack


def send(wallet: SigningClient, method: str, target: str, content: bytes | None = None) -> Answer:
    return wallet.send(wallet.signer.prepare(method, target, content))


def test_an_acceptance_and_each_kind_of_refusal_are_signed(stack: Stack, session: GameSession) -> None:
    round_id = new_id()
    statuses = [
        session.debit(round_id=round_id).must_be_signed().status,
        session.debit(0, round_id=round_id).must_be_signed().status,
        session.debit(100_000, round_id=round_id).must_be_signed().status,
        session.wallet.get(f"/casino/transactions/{new_id()}?userId={session.user_id}").must_be_signed().status,
    ]
    assert statuses == [200, 400, 200, 404]


@pytest.mark.parametrize("target", ["/casino/getBalance", "/casino/debit", "/casino/credit", "/casino/rollback"])
def test_a_405_of_a_signed_endpoint_is_signed(stack: Stack, target: str) -> None:
    answer = send(stack.wallet, "GET", target).must_be_signed()
    assert answer.verdict == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_a_405_of_the_feed_is_signed(stack: Stack) -> None:
    answer = send(stack.wallet, "POST", "/casino/transactions", b"{}").must_be_signed()
    assert answer.verdict == (405, "method_not_allowed")


@pytest.mark.parametrize("endpoint", ["launch", "simulate"])
def test_a_405_of_the_provider_is_signed(stack: Stack, endpoint: str) -> None:
    answer = send(stack.signing_client(stack.provider), "GET", f"/provider/{endpoint}").must_be_signed()
    assert answer.verdict == (405, "method_not_allowed")


def test_a_400_for_a_body_that_is_no_json_is_signed(stack: Stack) -> None:
    assert send(stack.wallet, "POST", "/casino/debit", b"{").must_be_signed().verdict == (400, "malformed_json")


def test_an_answer_is_bound_to_the_nonce_of_its_own_request(stack: Stack, session: GameSession) -> None:
    """An answer that was recorded for one request must not pass for another's."""
    signed = session.wallet.signer.prepare("POST", "/casino/getBalance", session.who())
    answer = session.wallet.send(signed).must_be_signed()
    values = [answer.headers[stack.casino.header_name]]
    recorded: dict[str, Any] = {"secret": stack.casino.secret, "status": answer.status, "body": answer.body}
    assert answer_verdict(values, nonce=signed.nonce, **recorded) == "good"
    assert answer_verdict(values, nonce=secrets.token_hex(16), **recorded) == "bad"
    assert answer_verdict(values, nonce=signed.nonce, **(recorded | {"secret": stack.provider.secret})) == "bad"


def test_a_path_that_is_no_endpoint_answers_in_json(stack: Stack) -> None:
    answer = send(stack.wallet, "GET", "/casino/no-such-thing")
    assert answer.verdict == (404, "not_found")


def keys_of(direction: str) -> dict[str, str]:
    """Three more keys for one direction, in the order in which they were made: one has ended."""
    made = {"k2": None, "gone": "2020-01-01T00:00:00Z", "k3": "2999-01-01T00:00:00Z"}
    keys = [{"id": name, "secret": secret_of(direction, name), "notAfter": end} for name, end in made.items()]
    return {f"{direction}_KEYS": json.dumps([{name: value for name, value in key.items() if value} for key in keys])}


def secret_of(direction: str, key_id: str) -> str:
    return f"{direction.lower()}-secret-of-more-than-32-bytes-{key_id}"


@pytest.mark.slow
def test_keys_rotate_and_every_live_one_is_known(start_stack: StartStack) -> None:
    rotated = keys_of("CASINO") | keys_of("PROVIDER")
    stack = start_stack(casino_settings=rotated, provider_settings=rotated)
    assert stack.simulate("1").content["passed"] is True, "the services sign for each other with the newest key"
    session = stack.session()
    for key_id, secret in [("main", stack.casino.secret), ("k2", secret_of("CASINO", "k2"))]:
        client = stack.signing_client(replace(stack.casino, secret=secret), key_id=key_id)
        assert client.post("/casino/getBalance", session.who()).status == 200, "signed with the request's own key"
    ended = stack.signing_client(replace(stack.casino, secret=secret_of("CASINO", "gone")), key_id="gone")
    refused = ended.send(ended.signer.prepare("POST", "/casino/getBalance", session.who()))
    assert (refused.verdict, refused.signature) == ((401, "unknown_key"), "missing")
