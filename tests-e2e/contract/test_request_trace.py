"""Row H3: one request id leads from the player's call to the casino's ledger, the provider's books and both logs.

Pitfall 23. The rounds are random; every one must be traced whole.
"""

import json
import random
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from e2e_testing.database import Row
from e2e_testing.game_session import GameSession
from e2e_testing.service_process import ServiceProcess, run_command
from e2e_testing.stack import TENANT, Stack, StartStack

ROUNDS = 6
JSON_LOGS = {"LOG_FORMAT": "json"}
OURS = """
    select t.transaction_id::text as id, t.kind, t.state, t.request_id, r.request_id as round_request_id
    from provider.wallet_transactions as t join provider.rounds as r using (round_id)
    where r.request_id = %(request_id)s
"""
THEIRS = "select transaction_id as id, kind, request_id from casino.transactions where request_id = %(request_id)s"
OF_PLAYER = """
    select t.transaction_id as id from casino.transactions as t join casino.wallets as w using (ledger_id, wallet_id)
    where w.player_id = %(player)s and t.kind in ('debit', 'credit', 'rollback')
"""


def lines_of(service: ServiceProcess, request_id: str) -> Iterator[dict[str, Any]]:
    """What a service logged under this id."""
    for line in service.log_path.read_text().splitlines():
        if request_id in line:
            event = json.loads(line)
            if event.get("request_id") == request_id:
                yield event


def rows_under(stack: Stack, statement: str, request_id: str) -> dict[str, Row]:
    return {row["id"]: row for row in stack.books.rows(statement, request_id=request_id)}


def require_trace(stack: Stack, request_id: str, *, player: str) -> int:
    """Everything that this request did can be found by its id alone, on both sides; answers how many transactions."""
    ours, theirs = (rows_under(stack, statement, request_id) for statement in (OURS, THEIRS))
    assert ours, "the provider's books do not know the request"
    assert {row["request_id"] for row in ours.values()} == {request_id}
    sent_and_booked = {id_ for id_, row in ours.items() if row["state"] != "refused"}
    assert sent_and_booked <= set(theirs) <= set(ours), "the ledger's rows and the books name the same transactions"
    everything = {row["id"] for row in stack.books.rows(OF_PLAYER, player=player)}
    assert everything == set(theirs), "a transaction of the player without the id"
    told = {event.get("transaction_id") for event in lines_of(stack.provider_process, request_id)}
    assert set(ours) <= told, "each transaction has its line in the provider's log"
    return len(ours)


def as_player(stack: Stack, player: str, request_id: str) -> dict[str, Any]:
    """The player's own call."""
    content = {"userId": player, "gameId": random.choice(("1", "2"))}
    url, headers = f"{stack.casino.base_url}/casino/simulateRound", {"x-request-id": request_id}
    answer = httpx.post(url, json=content, headers=headers, timeout=60, trust_env=False, verify=False)
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, request_id), answer.text
    report: dict[str, Any] = answer.json()
    return report


def mixed(stack: Stack, session: GameSession, request_id: str, seed: int) -> dict[str, Any]:
    """A round of another shape, as the casino asks the provider for it."""
    content = {
        "sessionToken": session.token, "providerSessionId": session.provider_session_id, "userId": session.user_id,
        "gameId": "SLOTS_001", "currency": "USD", "casinoCode": TENANT, "script": "mixed", "seed": seed,
    }  # fmt: skip
    client = stack.signing_client(stack.provider)
    prepared = client.signer.prepare("POST", "/provider/simulate", content, headers={"x-request-id": request_id})
    report: dict[str, Any] = client.send(prepared).must_be_ok().content
    return report


@pytest.fixture(scope="module")
def traced(start_module_stack: StartStack) -> Stack:
    """A stack whose logs a machine can read."""
    return start_module_stack(casino_settings=JSON_LOGS, provider_settings=JSON_LOGS)


def test_a_players_call_is_found_by_one_id_in_both_ledgers_and_both_logs(traced: Stack) -> None:
    """Row H3: rounds traced, all."""
    for _ in range(ROUNDS):
        player, request_id = traced.open_player(), f"trace-{secrets.token_hex(8)}"
        assert as_player(traced, player, request_id)["passed"] is True
        assert require_trace(traced, request_id, player=player) >= 6
        (launched,) = [
            event for event in lines_of(traced.casino_process, request_id) if event["event"] == "game_launched"
        ]
        joined = [
            event for event in lines_of(traced.provider_process, request_id) if event["event"] == "session_launched"
        ]
        assert len(joined) == 1
        assert launched["level"] == "info"


def test_rounds_of_every_shape_are_traced_too(traced: Stack) -> None:
    """Row H3: the shapes come from random seeds."""
    for _ in range(ROUNDS):
        session, request_id, seed = traced.session(), f"trace-{secrets.token_hex(8)}", secrets.randbelow(2**31)
        mixed(traced, session, request_id, seed)
        assert require_trace(traced, request_id, player=session.user_id) >= 1, f"seed {seed}"


@pytest.mark.parametrize("package", ["casino", "provider"])
def test_a_transaction_of_the_ledger_leads_back_to_its_request(traced: Stack, package: str) -> None:
    """Row H3 from the other end: support has a transaction, and asks where it came from."""
    player, request_id = traced.open_player(), f"trace-{secrets.token_hex(8)}"
    as_player(traced, player, request_id)
    transactions = sorted(rows_under(traced, OURS, request_id))[:3]
    assert len(transactions) == 3
    for transaction_id in transactions:
        told = run_command(package, f"transaction {transaction_id}", traced.services[package].environment)
        known = package == "provider" or transaction_id in rows_under(traced, THEIRS, request_id)
        assert (request_id in told.stdout) is known, told.stdout + told.stderr
