"""Protocol section 8, several casinos at one provider: what each key reaches, and what the file of casinos changes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from e2e_testing.answers import Answer, Peer
from e2e_testing.game_session import new_id
from e2e_testing.signing_client import SigningClient
from e2e_testing.stack import CURRENCY, PROVIDER_HEADER, TENANT, Stack, StartStack
from shared_service_testing.waiting import wait_until

ACME = "ACME"
ACME_CALLS = "acme-calls-the-provider"
ENTRY: Mapping[str, Any] = {
    "id": ACME,
    "url": "http://127.0.0.1:1",
    "keys": {
        "casino": [{"id": "acme-1", "secret": "the-provider-calls-acme"}],
        "provider": [{"id": "acme-p1", "secret": ACME_CALLS}],
    },
}


def write(file: Path, *entries: Mapping[str, Any]) -> None:
    file.with_suffix(".new").write_text(json.dumps(entries))
    file.with_suffix(".new").rename(file)


def launched(client: SigningClient, casino_code: str, **changes: object) -> Answer:
    content = {
        "sessionToken": "0123456789abcdef" * 4, "casinoSessionId": new_id(), "userId": "1", "gameId": "SLOTS_001",
        "currency": CURRENCY, "casinoCode": casino_code,
    }  # fmt: skip
    return client.send(client.signer.prepare("POST", "/provider/launch", content | changes))  # a 401 is unsigned


@pytest.mark.provokes("casino_draining")
def test_casinos_of_one_provider_are_kept_apart_and_drain_one_by_one(start_stack: StartStack, tmp_path: Path) -> None:
    file = tmp_path / "casinos.json"
    write(file, ENTRY)
    stack: Stack = start_stack(provider_settings={"PROVIDER_CASINOS_FILE": str(file)})
    own = stack.signing_client(stack.provider)
    other = stack.signing_client(Peer(stack.provider.base_url, PROVIDER_HEADER, ACME_CALLS), key_id="acme-p1")

    # The same ids, two sessions and two players.
    same = new_id()
    answers = [launched(own, TENANT, casinoSessionId=same), launched(other, ACME, casinoSessionId=same)]
    ids = {answer.must_be_ok().content["providerSessionId"] for answer in answers}
    assert len(ids) == 2
    assert len({answer.content["playerId"] for answer in answers}) == 2

    # A key reaches only its own casino, and only its own sessions.
    assert launched(other, TENANT).verdict == (404, "not_found")
    stolen = {
        "sessionToken": "0123456789abcdef" * 4, "userId": "1", "gameId": "SLOTS_001", "currency": CURRENCY,
        "providerSessionId": answers[0].content["providerSessionId"],
    }  # fmt: skip
    assert other.post("/provider/simulate", stolen | {"casinoCode": ACME}).verdict == (404, "session_not_found")
    assert other.post("/provider/simulate", stolen | {"casinoCode": TENANT}).verdict == (404, "not_found")

    # The environment's casino drains: what it began ends, and the other one goes on.
    session = stack.session()
    write(file, ENTRY, {"id": TENANT, "status": "draining"})
    wait_until(lambda: launched(own, TENANT).verdict == (423, "casino_draining"), "the casino drains")
    assert stack.launch(session.user_id).verdict == (502, "provider_rejected")
    session.debit(1_000).must_be_ok()
    assert launched(other, ACME).status == 200

    # A casino that is gone is off.
    write(file)
    wait_until(lambda: launched(other, ACME).verdict == (401, "unknown_key"), "the casino is off")
    wait_until(lambda: launched(own, TENANT).status == 200, "the casino is live again")
