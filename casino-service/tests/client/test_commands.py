"""`casino revoke-tokens`: every token of a player ends at once, everywhere, and with it what was begun with one."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from click.testing import CliRunner
from structlog.typing import EventDict

from casino.__main__ import main
from casino_testing.access_tokens import SECRET, token
from casino_testing.edge import Service, bet, payout, serving
from casino_testing.tenant import Tenant
from shared_signing.keys import parse_keys

RunCommand = Callable[..., tuple[int, str]]


@pytest.fixture
async def two(tenant: Tenant) -> AsyncIterator[tuple[Service, Service]]:
    """Two processes' worth of the service outside demo mode, on one database."""
    keys = tuple(parse_keys(SECRET, None))
    async with (
        serving(tenant, demo=False, access_token_keys=keys) as one,
        serving(tenant, demo=False, access_token_keys=keys) as other,
    ):
        yield one, other


@pytest.fixture
def run_command(tenant: Tenant) -> RunCommand:
    """Runs a command of the casino as a person would: without any secret."""

    def run(*arguments: str, **changes: str) -> tuple[int, str]:
        environment = {"CASINO_OWNER_DATABASE_URL": tenant.url, "CASINO_LEDGER": str(tenant.ledger_id), **changes}
        result = CliRunner().invoke(main, arguments, env=environment)
        return result.exit_code, result.output

    return run


async def launch(service: Service, bearer: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {bearer}"}
    return await service.anybody.post("/casino/launchGame", json={"gameId": "1"}, headers=headers)


def verdict(response: httpx.Response) -> tuple[int, str | None]:
    return response.status_code, response.json().get("code")


async def test_every_token_of_the_player_ends_at_once_in_every_process(
    tenant: Tenant, two: tuple[Service, Service], run_command: RunCommand, logged: list[EventDict]
) -> None:
    now = int(time.time())
    used, fresh, old, others = token(), token(jti="2"), token(iat=now - 80_000, exp=now + 300), token(sub="2")
    assert (await launch(two[0], used)).status_code == 201
    status, said = run_command("revoke-tokens", "1")
    assert status == 0
    assert re.fullmatch(
        r"Access tokens of player 1 that were issued until \S+Z are refused, in every process, at once\."
        r" Closed game sessions: 1\.\nAn issuer's clock may be 60 seconds ahead\."
        r" If yours can be, run this again in a minute\.\n",
        said,
    )
    taken = tenant.rows_of_tenant("rate_buckets")
    for service in two:
        for bearer in (used, fresh, old):
            assert verdict(await launch(service, bearer)) == (401, "access_token_invalid")
    assert {event["why"] for event in logged if event["event"] == "request_refused"} == {"revoked"}
    # A bucket that is full again may be gone by now: a loop deletes it.
    left = tenant.rows_of_tenant("rate_buckets")
    assert [row for row in left if row not in taken] == [], "whoever stole a token cannot use the player's calls up"
    assert (await launch(two[1], others)).status_code == 201, "another player's tokens hold"


async def test_a_token_that_is_issued_after_it_holds(
    tenant: Tenant, two: tuple[Service, Service], run_command: RunCommand
) -> None:
    assert run_command("revoke-tokens", "1")[0] == 0
    (row,) = tenant.rows_of_tenant("access_token_revocations")
    until = int(row["issued_until"].timestamp())
    assert row["issued_until"].timestamp() == until, "whole seconds, as those of tokens"
    assert verdict(await launch(two[0], token(iat=until, exp=until + 300))) == (401, "access_token_invalid")
    assert (await launch(two[0], token(iat=until + 1, exp=until + 300))).status_code == 201


async def test_the_players_sessions_are_closed_and_their_wins_still_land(
    tenant: Tenant, two: tuple[Service, Service], run_command: RunCommand
) -> None:
    service = two[0]
    for player in ("1", "2"):
        assert (await launch(service, token(sub=player))).status_code == 201
    (mine, others) = (service.provider.asked(place)["sessionToken"] for place in (0, 1))
    placed = bet(mine)
    assert (await service.post("debit", placed)).status_code == 200
    assert run_command("revoke-tokens", "1")[0] == 0
    refused = await service.post("debit", bet(mine))
    assert (refused.status_code, refused.json()["code"]) == (404, "session_expired")
    assert (await service.post("credit", payout(mine, placed["transactionId"]))).status_code == 200
    assert (await service.post("debit", bet(others, userId="2"))).status_code == 200


async def test_a_second_revocation_never_gives_a_token_back(tenant: Tenant, run_command: RunCommand) -> None:
    assert run_command("revoke-tokens", "1")[0] == 0
    later = "update casino.access_token_revocations set issued_until = issued_until + interval '1 hour'"
    tenant.sql(f"{later} where tenant_id = %s", tenant.tenant_id)
    (before,) = tenant.rows_of_tenant("access_token_revocations")
    assert run_command("revoke-tokens", "1")[0] == 0
    (after,) = tenant.rows_of_tenant("access_token_revocations")
    assert after == before


async def test_what_cannot_be_done_is_said_and_changes_nothing(tenant: Tenant, run_command: RunCommand) -> None:
    status, said = run_command("revoke-tokens", "nobody\x1b")
    assert (status, said.count("\n"), "\x1b" in said) == (1, 1, False)
    assert all(named in said for named in (str(tenant.ledger_id), "nobody", "CASINO_LEDGER"))
    status, said = run_command("revoke-tokens", "1", CASINO_OWNER_DATABASE_URL="")
    assert (status, said.count("\n"), "CASINO_OWNER_DATABASE_URL" in said) == (1, 1, True)
    status, said = run_command("revoke-tokens", "1", CASINO_OWNER_DATABASE_URL="postgresql://x:canary@127.0.0.1:1/x")
    assert status == 1
    assert "casino_owner" in said
    assert "canary" not in said
    assert tenant.rows_of_tenant("access_token_revocations") == []
