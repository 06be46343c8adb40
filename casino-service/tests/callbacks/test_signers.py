"""The second lock: where the edge let a request through that nobody signed, nothing is read, answered or booked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
import psycopg
import pytest
from structlog.typing import EventDict

from casino.app import create_app
from casino.callbacks import messages
from casino.errors import Refused
from casino.settings import Settings
from casino.wallet.commands import WalletCommand
from casino_testing.edge import bet, payout, rollback, serving
from casino_testing.scrape import scrape, until_shown
from casino_testing.tenant import Tenant
from casino_testing.wallet import Session, Wallet
from shared_service.http.routing import SIGNED, Route
from shared_signing.asgi import SignedEndpoints

NO_SIGNER: Final = [{}, {"signed_by": None}, {"signed_by": ""}, {"signed_by": b"main"}, {"signed_by": True}]
APPLICATION: Final = create_app(Settings(database_url="", owner_database_url=""))
ROUTES: Final[list[Route]] = [route for route in APPLICATION.state.table.routes if route.access == SIGNED]
DECODERS: Final = [messages.debit, messages.credit, messages.rollback]


async def _nothing_is_read() -> Any:
    raise AssertionError("a request that nobody signed was read")


async def _nothing_is_sent(_message: Any) -> None:
    raise AssertionError("a request that nobody signed was answered")


@pytest.mark.parametrize("state", NO_SIGNER, ids=repr)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.path))
async def test_no_endpoint_of_a_provider_reads_what_nobody_signed(route: Route, state: dict[str, Any]) -> None:
    """Row E3. Every endpoint there is, money and reading alike: the list is the service's own."""
    scope = {
        "type": "http", "method": "POST", "path": route.path, "path_params": {"transaction_id": "t"}, "headers": [],
        "query_string": b"", "state": dict(state),
    }  # fmt: skip
    with pytest.raises(Refused) as caught:
        (await route.endpoint(scope, _nothing_is_read, _nothing_is_sent))  # type: ignore[arg-type]
    assert caught.value.code == "signature_missing"


@pytest.mark.parametrize("state", NO_SIGNER, ids=repr)
@pytest.mark.parametrize("decode", DECODERS)
def test_no_message_becomes_a_command_without_its_signer(
    decode: Any, state: dict[str, Any], logged: list[EventDict]
) -> None:
    content = {
        "sessionToken": "s", "userId": "1", "transactionId": "t", "roundId": "r", "amount": 1,
        "originalTransactionId": "o",
    }  # fmt: skip
    with pytest.raises(Refused) as caught:
        decode(content, "request", state)
    assert caught.value.code == "signature_missing"
    (told,) = logged
    assert (told["event"], told["log_level"]) == ("unsigned_request_passed_the_edge", "error")


async def test_a_hole_in_the_edge_pays_nobody(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row E3. Red before: POST /casino/credit%0A went round the signature, and paid."""

    async def hole(self: SignedEndpoints, *arguments: Any) -> None:
        await self._app(*arguments)

    async with serving(tenant) as service:
        token = await service.launch()
        placed = bet(token)
        await service.post("debit", placed)
        before = tenant.money_rows()
        monkeypatch.setattr(SignedEndpoints, "__call__", hole)
        calls = {
            "debit": bet(token),
            "credit": payout(token, placed["transactionId"]),
            "rollback": rollback(token, placed["transactionId"]),
            "getBalance": {"sessionToken": token, "userId": "1"},
        }
        answers = [await service.anybody.post(f"/casino/{name}", json=content) for name, content in calls.items()]
        reads = ("/casino/transactions", f"/casino/transactions/{placed['transactionId']}?userId=1")
        answers += [await service.anybody.get(path) for path in reads]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(401, "signature_missing")] * 6
    assert tenant.money_rows() == before


COMMANDS: Final[dict[str, Callable[[Session, WalletCommand], WalletCommand]]] = {
    "debit": lambda session, _bet: session.debit(),
    "credit": lambda session, bet: session.credit(related_id=bet.transaction_id),
    "rollback": lambda session, bet: session.rollback(bet.transaction_id),
    "tombstone": lambda session, _bet: session.rollback("never seen"),
    "refusal that is recorded": lambda session, _bet: session.debit(100_000),
}


@pytest.mark.parametrize("signer", [None, ""])
@pytest.mark.parametrize("what", COMMANDS)
def test_the_database_books_nothing_that_nobody_signed(
    wallet: Wallet, tenant: Tenant, what: str, signer: str | None
) -> None:
    session = wallet.open_session()
    placed = wallet.bet(session)
    tenant.set_wallet(balance_minor=99_999) if what.startswith("refusal") else None
    before = tenant.money_rows()
    command = msgspec.structs.replace(COMMANDS[what](session, placed), signed_by=signer)  # type: ignore[arg-type]
    with pytest.raises(psycopg.errors.CheckViolation, match="wire_transaction_is_signed"):
        wallet.run(command)
    assert tenant.money_rows() == before
    tenant.set_wallet(balance_minor=999_000) if what.startswith("refusal") else None


def test_whatever_writes_a_transaction_says_who_signed_it_and_by_which_formula_it_is_hashed(
    shared_database: str,
) -> None:
    """The column's default frees what was recorded before it: nothing new may count on that."""
    with psycopg.connect(shared_database) as connection:
        rows = connection.execute(
            "select proname, prosrc from pg_proc where pronamespace = 'casino'::regnamespace"
        ).fetchall()
    columns = {
        name: found[1]
        for name, body in rows
        for found in re.finditer(r"insert into casino\.transactions \(([^)]*)\)", body)
    }
    assert columns.keys() == {"book_entries", "record_refusals"}
    assert all("entry_formula" in named for named in columns.values())
    assert all("signed_by" in named for named in columns.values())


async def test_a_transaction_that_nobody_signed_is_shown(own_database: str, logged: list[EventDict]) -> None:
    tenant = Tenant.demo(own_database)
    async with serving(tenant) as service:
        await service.post("debit", bet(await service.launch()))
        assert "casino_unsigned_transactions" in {sample.name for sample in (await scrape(service.anybody)).samples}
        assert (await scrape(service.anybody)).value("casino_unsigned_transactions") == 0
    tenant.sql("alter table casino.transactions drop constraint wire_transaction_is_signed")
    tenant.sql("update casino.transactions set signed_by = null where kind = 'debit'")
    async with serving(tenant) as service:
        await until_shown(service.anybody, 1, "casino_unsigned_transactions")
    assert {event["transactions"] for event in logged if event["event"] == "unsigned_transactions"} == {1}
    tenant.sql("update casino.transactions set entry_formula = 1 where kind = 'debit'")
    async with serving(tenant) as service:
        await service.launch()
        assert (await scrape(service.anybody)).value("casino_unsigned_transactions") == 0
    tenant.close()


def test_the_list_has_the_endpoints_that_move_money() -> None:
    assert {"/casino/debit", "/casino/credit", "/casino/rollback"} < {route.path for route in ROUTES}


def test_the_count_is_answered_by_an_index_that_is_empty(wallet: Wallet, tenant: Tenant) -> None:
    wallet.bet(wallet.open_session())
    assert tenant.sql("select pg_relation_size('casino.transactions_fed_unsigned') as bytes") == [{"bytes": 8_192}]
    plan = tenant.sql(
        "explain select count(*) from casino.transactions"
        " where ledger_id = 1 and entry_formula > 1 and feed_position is not null and coalesce(signed_by, '') = ''"
    )
    assert "transactions_fed_unsigned" in str(plan)
