"""`casino create-tenant`, `add-game`, `set-win-cap`, `add-player`: what they write, twice, and what they refuse."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from threading import Barrier, Thread

import pytest
from click.testing import CliRunner

from casino.__main__ import main
from casino.sql.schema import SCHEMA
from casino_testing.edge import serving
from casino_testing.tenant import Tenant
from local_stack.testing import PostgresServer, create_database, drop_database
from shared_service.postgres.migrate import migrate

RunCommand = Callable[..., tuple[int, str]]


@pytest.fixture
def run_command(tenant: Tenant) -> RunCommand:
    """Runs a command of the casino as a person would: without any secret."""

    def run(*arguments: str, **changes: str) -> tuple[int, str]:
        environment = {
            "CASINO_OWNER_DATABASE_URL": tenant.url,
            "CASINO_TENANT": tenant.tenant_id,
            "CASINO_LEDGER": str(tenant.ledger_id),
            **changes,
        }
        result = CliRunner().invoke(main, arguments, env=environment)
        return result.exit_code, result.output

    return run


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"casino_new_{uuid.uuid4().hex}"
    yield create_database(postgres_server, name)
    drop_database(postgres_server, name)


GAME = ("add-game", "3", "DICE_001", "Dice", "--min-bet-minor", "100", "--max-bet-minor", "5000")
PLAYER = ("add-player", "3", "Čarlotte", "--currency", "EUR", "--balance-minor", "70000")


async def test_a_migrated_database_becomes_ready_and_playable_by_commands_alone(
    empty_database: str, run_command: RunCommand
) -> None:
    """Without them `/health/ready` said `tenant` for good."""
    own = {"CASINO_OWNER_DATABASE_URL": empty_database, "CASINO_TENANT": "ACME", "CASINO_LEDGER": "7"}
    status, said = run_command("create-tenant", **own)
    assert (status, said.count("\n"), "run `casino migrate`" in said) == (1, 1, True), said
    migrate(SCHEMA, empty_database)
    named = "serve it with CASINO_TENANT=ACME and CASINO_LEDGER=7.\n"
    created = f"Tenant ACME with ledger 7 was created; {named}"
    assert run_command("create-tenant", "--name", "Acme Casino", **own) == (0, created)
    assert run_command("create-tenant", **own) == (0, f"Tenant ACME with ledger 7 was there already; {named}")
    assert run_command(*GAME, **own) == (0, "Game 3 (DICE_001) was added.\n")
    assert run_command(*PLAYER, **own) == (0, "Player 3 was added; the balance is 70000 EUR minor units.\n")
    acme = Tenant(empty_database, tenant_id="ACME", ledger_id=7)
    assert [row["display_name"] for row in acme.rows_of_tenant("tenants")] == ["Acme Casino"]
    async with serving(acme) as service:
        assert (await service.anybody.get("/health/ready")).status_code == 200
        opened = await service.anybody.post("/casino/launchGame", json={"userId": "3", "gameId": "3"})
        assert opened.status_code == 201
        assert (opened.json()["balance"], opened.json()["currency"]) == ("70000", "EUR")
    assert acme.differences() == []
    acme.close()


def test_a_tenant_belongs_to_one_ledger(own_database: str) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            main, ["create-tenant", *arguments], env={"CASINO_OWNER_DATABASE_URL": own_database}
        )
        return result.exit_code, result.output

    assert run("JAQPOT", "--name", "Other") == (1, "Error: tenant JAQPOT has another name; nothing was changed\n")
    assert run("JAQPOT", "--ledger", "2") == (1, "Error: tenant JAQPOT belongs to ledger 1; nothing was changed\n")
    assert run("OTHER", "--ledger", "1") == (1, "Error: ledger 1 belongs to another tenant; nothing was changed\n")
    assert run("OTHER", "--ledger", "2")[0] == 0
    demo = Tenant.demo(own_database)
    rows = demo.sql("select tenant_id, ledger_id from casino.ledgers order by ledger_id")
    assert [tuple(row.values()) for row in rows] == [("JAQPOT", 1), ("OTHER", 2)]
    demo.close()


async def test_a_tenant_below_another_has_its_ledger_and_its_games(tenant: Tenant, run_command: RunCommand) -> None:
    below = ("create-tenant", f"{tenant.tenant_id}-AGENT", "--parent", tenant.tenant_id, "--type", "AGENT")
    for state in ("was created", "was there already"):
        assert state in run_command(*below)[1]
    assert run_command(*below[:2]) == (
        1, f"Error: tenant {below[1]} has another parent or type; nothing was changed\n"
    )  # fmt: skip
    assert run_command(*below[:3], "NOBODY")[1] == (
        f"Error: tenant {below[1]} has another parent or type; nothing was changed\n"
    )
    status, said = run_command("create-tenant", "X", "--parent", "NOBODY")
    assert (status, "has no tenant NOBODY" in said) == (1, True)
    assert run_command(*PLAYER, CASINO_TENANT=below[1])[0] == 0
    async with serving(tenant) as service:
        opened = await service.anybody.post("/casino/launchGame", json={"userId": "3", "gameId": "1"})
        assert opened.status_code == 201, "the tenant is the player's, the games are those of the tenant above"
    (session,) = tenant.rows("game_sessions")
    assert session["tenant_id"] == below[1]


def test_a_game_is_added_once_and_never_changed_by_adding(tenant: Tenant, run_command: RunCommand) -> None:
    capped = (*GAME, "--win-cap-minor", "900000")
    assert run_command(*capped) == (0, "Game 3 (DICE_001) was added.\n")
    before = tenant.rows_of_tenant("games")
    (row,) = (row for row in before if row["game_id"] == "3")
    assert (row["game_code"], row["display_name"], row["disabled_at"]) == ("DICE_001", "Dice", None)
    assert (row["stake_min_minor"], row["stake_max_minor"], row["win_cap_minor"]) == (100, 5_000, 900_000)
    assert run_command(*capped) == (0, "Game 3 (DICE_001) was there already.\n")
    assert run_command(*GAME) == (0, "Game 3 (DICE_001) was there already.\n"), "the cap may be one that was set later"
    for other in (
        (*GAME, "--win-cap-minor", "1"),
        (*GAME[:3], "Other", *GAME[4:]),
        (GAME[0], "4", *GAME[2:]),
        (*GAME[:2], "DICE_002", *GAME[3:]),
    ):
        status, said = run_command(*other)
        assert (status, said.count("\n")) == (1, 1)
        assert said.endswith("with other values; nothing was changed\n")
    assert tenant.rows_of_tenant("games") == before


async def test_a_win_cap_holds_for_sessions_that_are_launched_after_it(tenant: Tenant, run_command: RunCommand) -> None:
    assert run_command("set-win-cap", "1", "250000") == (
        0, "A round of game 1 pays 250000 minor units at most, in sessions that are launched from now on.\n"
    )  # fmt: skip
    async with serving(tenant) as service:
        opened = await service.anybody.post("/casino/launchGame", json={"userId": "1", "gameId": "1"})
    assert opened.status_code == 201
    (session,) = tenant.rows("game_sessions")
    assert session["win_cap_minor"] == 250_000
    assert run_command("set-win-cap", "9", "1") == (
        1, f"Error: tenant {tenant.tenant_id} has no game 9; nothing was changed\n"
    )  # fmt: skip


def test_an_opening_balance_is_one_deposit_and_a_player_who_exists_gets_no_money(
    tenant: Tenant, run_command: RunCommand
) -> None:
    assert run_command(*PLAYER)[0] == 0
    wallet, rows = tenant.wallet("3"), tenant.money_rows()
    assert (wallet["player_name"], wallet["currency"], wallet["balance_minor"]) == ("Čarlotte", "EUR", 70_000)
    deposits = [row for row in tenant.rows("transactions") if row["wallet_id"] == wallet["wallet_id"]]
    assert [(row["kind"], row["amount_minor"]) for row in deposits] == [("deposit", 70_000)]
    assert run_command(*PLAYER) == (
        0, "Player 3 was there already, and nothing was booked; the balance is 70000 EUR minor units.\n"
    )  # fmt: skip
    no_money = "Error: player 3 exists with another name, currency, ledger or opening balance; nothing was changed\n"
    for other in ((*PLAYER[:-1], "70001"), PLAYER[:-2], (*PLAYER[:2], "Carlotte", *PLAYER[3:])):
        assert run_command(*other) == (1, no_money)
    assert run_command(*PLAYER[:4], "USD", *PLAYER[5:]) == (1, no_money)
    assert (tenant.wallet("3"), tenant.money_rows()) == (wallet, rows)


def test_a_player_has_one_wallet_in_all_tenants_of_the_ledger(tenant: Tenant, run_command: RunCommand) -> None:
    other = f"{tenant.tenant_id}-OTHER"
    assert run_command("create-tenant", other, "--parent", tenant.tenant_id)[0] == 0
    assert run_command(*PLAYER)[0] == 0
    status, said = run_command(*PLAYER, CASINO_TENANT=other)
    assert (status, "exists with another" in said) == (1, True)
    assert run_command(*PLAYER[:1], "4", *PLAYER[2:], CASINO_TENANT=other)[0] == 0


def test_commands_at_the_same_time_book_one_deposit(tenant: Tenant) -> None:
    """With different amounts: one of them is booked, and every other command says that it was not."""
    gate = Barrier(4)
    ended: dict[int, int] = {}

    def run(amount: int) -> None:
        gate.wait()
        environment = os.environ | {
            "CASINO_OWNER_DATABASE_URL": tenant.url, "CASINO_TENANT": tenant.tenant_id,
            "CASINO_LEDGER": str(tenant.ledger_id),
        }  # fmt: skip
        arguments = [sys.executable, "-m", "casino", *PLAYER[:-1], str(amount)]
        ended[amount] = subprocess.run(arguments, env=environment, capture_output=True, check=False).returncode

    threads = [Thread(target=run, args=(amount,)) for amount in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended.values()) == [0, 1, 1, 1]
    (winner,) = (amount for amount, status in ended.items() if status == 0)
    assert tenant.balance("3") == winner


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        (("create-tenant", "a\x1bb"), "TENANT must be 1 to 128 characters of printable ASCII"),
        (("create-tenant", "--ledger", "0"), "--ledger must be a whole number from 1 to 32767"),
        (("create-tenant", "--name", " "), "--name must be 1 to 128 printable characters"),
        (("add-game", "", *GAME[2:]), "GAME_ID must be"),
        ((*GAME[:2], "ü", *GAME[3:]), "GAME_CODE must be"),
        ((*GAME[:5], "0", *GAME[6:]), "--min-bet-minor must be a whole number from 1 to 9007199254740991"),
        ((*GAME[:-1], "99"), "--max-bet-minor must be a whole number from 100 to 9007199254740991"),
        ((*GAME, "--win-cap-minor", "1.5"), "--win-cap-minor must be a whole number"),
        (("set-win-cap", "1", "9007199254740992"), "AMOUNT_MINOR must be a whole number"),
        ((*PLAYER[:4], "eur"), "--currency must be 3 to 8 capital letters and digits"),
        ((*PLAYER[:-1], "-5"), "--balance-minor must be a whole number from 0 to 9007199254740991"),
        ((PLAYER[0], "3", "a\nb", *PLAYER[3:]), "NAME must be"),
    ],
)
def test_a_value_that_cannot_be_is_one_sentence_and_changes_nothing(
    tenant: Tenant, run_command: RunCommand, arguments: tuple[str, ...], about: str
) -> None:
    before = tenant.rows_of_tenant("games"), tenant.rows("wallets")
    status, said = run_command(*arguments)
    assert (status, said.count("\n")) == (1, 1), said
    assert said.startswith(f"Error: {about}")
    assert (tenant.rows_of_tenant("games"), tenant.rows("wallets")) == before


@pytest.mark.parametrize("arguments", [("create-tenant",), GAME, ("set-win-cap", "1", "5"), PLAYER])
def test_a_missing_tenant_or_database_is_one_sentence(run_command: RunCommand, arguments: tuple[str, ...]) -> None:
    if arguments[0] in ("add-game", "add-player"):
        status, said = run_command(*arguments, CASINO_TENANT="NOBODY")
        assert (status, said.count("\n"), "casino create-tenant" in said) == (1, 1, True), said
    status, said = run_command(*arguments, CASINO_OWNER_DATABASE_URL="")
    assert (status, said.count("\n"), "CASINO_OWNER_DATABASE_URL" in said) == (1, 1, True), said
    status, said = run_command(*arguments, CASINO_OWNER_DATABASE_URL="postgresql://x:canary@127.0.0.1:1/x")
    assert (status, said.count("\n")) == (1, 1)
    assert "casino_owner" in said
    assert "canary" not in said
