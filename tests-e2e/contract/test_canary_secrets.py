"""Row H1: canary secrets pushed through every route of both services, good and bad, are found nowhere afterwards.

Invariant I11; pitfall 10. Nowhere: both logs at debug level, the bodies of errors, /metrics, command lines, what the
commands print, and every column of every table. Invariant I10 on the way: each refusal is logged with its
request id, or counted where there are more than ten a second.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from e2e_testing.canaries import Canaries
from e2e_testing.canary_stack import CanaryStack, access_token, settings_with
from e2e_testing.database import Database, create_database, drop_database
from e2e_testing.fault import Call, Fault, Gate, says, says_signed, tampers_signature
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.signing_client import TIMEOUT_SECONDS
from e2e_testing.stack import Stack, own_stack
from e2e_testing.wallet_proxy import WalletProxy
from e2e_testing.wire import Message
from local_stack.ports import free_port
from local_stack.testing import PostgresServer
from shared_service_testing.sampling import IS_NIGHTLY
from shared_service_testing.waiting import wait_until

QUICK_PROVIDER = {
    "PROVIDER_CALL_SECONDS": "4.0",
    "PROVIDER_LEASE_MARGIN_SECONDS": "1.0",
    "PROVIDER_OUTBOX_INTERVAL_SECONDS": "0.1",
    "PROVIDER_RETRY_FIRST_SECONDS": "0.2",
}
SIMULATES_ROUNDS = {"CASINO_DEMO": "", "PROVIDER_DEMO": "1"}
COMMANDS = (
    ("casino", "keys"),
    ("casino", "check-ledger"),
    ("provider", "keys"),
    ("provider", "heads"),
    ("provider", "recover-once"),
    ("provider", "reconcile"),
)
BROKEN_CASINO = (
    """
    create function public.spill() returns trigger language plpgsql as $$
    begin
        raise exception 'bad row: %%', new using detail = new::text, hint = new::text;
    end
    $$
    """,
    "create trigger spill before insert on casino.transactions for each row execute function public.spill()",
)
HEALED_CASINO = ("drop trigger spill on casino.transactions", "drop function public.spill()")
BROKEN_PROVIDER = "alter function provider.launch_session(uuid, text, text, text, text, text, bytea) rename to gone"
HEALED_PROVIDER = "alter function provider.gone(uuid, text, text, text, text, text, bytea) rename to launch_session"


SHAPES = [("json", "console"), *([("console", "json")] if IS_NIGHTLY else [])]


@pytest.fixture(params=SHAPES, ids="-".join)
def canary(
    request: pytest.FixtureRequest, server: PostgresServer, template: Database, tmp_path: Path, live_stacks: list[Stack]
) -> Iterator[CanaryStack]:
    """A stack in which each of the two shapes of a log line is one service's."""
    canaries, database, casino_port = Canaries(), create_database(server.url(), template=template), free_port()
    settings, (of_casino, of_provider) = settings_with(canaries), request.param
    with WalletProxy(casino_port) as proxy, WalletProxy() as launch_proxy:
        casino = settings | {"PROVIDER_URL": launch_proxy.url, "LOG_FORMAT": of_casino}
        provider = settings | QUICK_PROVIDER | SIMULATES_ROUNDS | {"CASINO_URL": proxy.url, "LOG_FORMAT": of_provider}
        stack = own_stack(
            database, tmp_path, casino_settings=casino, provider_settings=provider, casino_port=casino_port
        )
        launch_proxy.upstream.ports = [stack.provider_process.port]
        live_stacks.append(stack)
        yield CanaryStack(stack, proxy, launch_proxy, canaries, tmp_path, settings["CASINO_ACCESS_TOKEN_SECRET"])
        live_stacks.remove(stack)
        stack.close()
    drop_database(server.url(), database)


def play_everything_right(canary: CanaryStack) -> GameSession:
    """Every route, as it is meant."""
    session = canary.session()
    bet, round_id = new_id(), new_id()
    reason = canary.canaries.say("a reason")
    assert canary.wallet(
        "debit", session.debit_content(transaction_id=bet, round_id=round_id, reason=reason)
    ).is_success
    assert canary.wallet(
        "debit", session.debit_content(transaction_id=bet, round_id=round_id, reason=reason)
    ).is_success
    assert canary.wallet("credit", session.credit_content(2000, round_id=round_id, related=bet)).is_success
    assert canary.wallet("rollback", session.who() | {
        "transactionId": new_id(), "originalTransactionId": new_id(), "roundId": new_id(),
        "reason": canary.canaries.say("another reason"),
    }).is_success  # fmt: skip
    assert canary.wallet("getBalance", session.who()).is_success
    prepare = canary.stack.wallet.signer.prepare
    assert canary.signed(prepare("GET", "/casino/transactions?after=0&limit=10")).is_success
    assert canary.signed(prepare("GET", f"/casino/transactions/{bet}?userId={session.user_id}")).is_success
    report = canary.studio("simulate", canary.simulation(session))
    assert report.json()["passed"] is True, report.json()["steps"]
    shown = list(canary.canaries.found_in(report.text, where="the report"))
    assert shown == [], "a report is shown to people"
    return session


def play_everything_wrong(canary: CanaryStack, session: GameSession) -> None:
    """Every route, with something wrong that carries a secret."""
    new, casino, provider = canary.canaries.new, canary.stack.casino.base_url, canary.stack.provider.base_url
    for token in (f"{new('a bad token')}", "a.b." + new("a forged token"), access_token(new("a wrong secret"), "1")):
        canary.launch("1", token=token)
    for endpoint in ("launchGame", "simulateRound"):
        url = f"{casino}/casino/{endpoint}"
        bearer = {
            "authorization": f"Bearer {access_token(canary.token_secret, '1')}",
            "content-type": "application/json",
        }
        canary.ask("POST", url, content=b'{"gameId": "' + new("a broken body").encode(), headers=bearer)
        canary.ask("POST", url, json={"gameId": new("a game")}, headers=bearer)
        canary.ask("POST", url, json={"gameId": "1"}, headers={"authorization": f"Basic {new('a password')}"})
        canary.ask("POST", url, json={"gameId": "1", "ipAddress": new("an address")}, headers=bearer)
    for call, endpoints in (
        (canary.wallet, ("debit", "credit", "rollback", "getBalance")),
        (canary.studio, ("launch", "simulate")),
    ):
        for endpoint in endpoints:
            call(endpoint, b'{"sessionToken": "' + new("half a body").encode())
            call(endpoint, f'{{"sessionToken": "{new("a duplicate")}", "sessionToken": "{session.token}"}}'.encode())
            call(
                endpoint,
                canary.simulation(session) | session.debit_content() | {"sessionToken": new("an unknown token")},
            )
            call(endpoint, session.debit_content(amount=new("an amount")) | {"userId": [new("a list")]})
            call(endpoint, session.who(), key=new("a key that nobody has"))
            call(endpoint, session.who(), signature_values=[new("a signature")])
            call(
                endpoint, session.who(), signature_values=[f"t=1,n={new('a nonce')},k={new('a key id')},v1={'0' * 64}"]
            )
            call(endpoint, session.who(), timestamp=int(time.time()) - 3600)
            call(endpoint, {"sessionToken": session.token, "padding": new("padding") + "x" * 70_000})
            call(endpoint, session.who(), headers={"content-type": f"text/{new('a type')}"})
            call(endpoint, session.who(), headers={"content-encoding": new("an encoding")})
    for base in (casino, provider):
        for path in (f"/{new('a path')}", f"/casino/debit/{new('a tail')}", f"/provider/{new('a route')}", "/metrics/"):
            canary.ask("GET", f"{base}{path}?token={new('a query')}&key={session.token}")
            canary.ask("POST", f"{base}{path}", content=new("a lost body"))
        canary.ask(
            "DELETE", f"{base}/health/ready?{new('a bare query')}", headers={"x-request-id": f"no {new('an id')}"}
        )
    canary.stack.client.get(f"{casino}/health/live", headers={"x-forwarded-for": new("a forwarded address")})


def play_with_a_hostile_wallet(canary: CanaryStack) -> None:
    """What comes back from the wallet carries secrets too."""
    new, secret = canary.canaries.new, canary.stack.casino.secret
    said = {"error": new("an error sentence"), "code": "c" + new("an error code"), "requestId": new("a request id")}

    def page(_: Call, upstream: Message) -> Message:
        return upstream.with_body(f"<html>{new('a page')}</html>".encode())

    for rewrites in (
        says(302, said, location=f"http://{new('a location')}.test/"),
        says(500, said, x_leak=new("a header")),
        says(401, said, www_authenticate=new("a challenge")),
        says_signed(secret, 400, said),
        says_signed(secret, 200, {"balance": new("a balance"), "status": new("a status")}),
        tampers_signature,
        page,
    ):
        session = canary.session()
        canary.proxy.rule(lambda call, own=session: call.token == own.token, Fault(rewrites=rewrites), times=4)  # type: ignore[misc]
        canary.studio("simulate", canary.simulation(session))
    canary.proxy.heal()
    canary.settle()


def play_with_broken_databases(canary: CanaryStack) -> None:
    """Crashes whose error text holds the whole command."""
    session, database = canary.session(), canary.stack.books
    for statement in BROKEN_CASINO:
        database.rows(statement)
    assert canary.wallet("debit", session.debit_content(reason=canary.canaries.say("a crash"))).status_code == 500
    canary.studio("simulate", canary.simulation(session))
    for statement in HEALED_CASINO:
        database.rows(statement)
    database.rows(BROKEN_PROVIDER)
    launch = canary.simulation(session) | {"casinoSessionId": new_id(), "sessionToken": canary.canaries.new("a launch")}
    assert canary.studio("launch", launch).status_code == 500
    database.rows(HEALED_PROVIDER)
    canary.settle()


def kill_in_the_middle(canary: CanaryStack) -> None:
    """kill -9 of both sides while they hold a token in their hands."""
    session = canary.session()
    gate = Gate()
    canary.proxy.rule(lambda call: call.endpoint == "credit", Fault(hold_before=gate), times=1)
    prepared = canary.stack.signing_client(canary.stack.provider).signer.prepare(
        "POST", "/provider/simulate", canary.simulation(session)
    )
    with ThreadPoolExecutor() as caller, httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, verify=False) as client:
        asked = caller.submit(client.send, prepared.request)
        gate.wait_for_arrival()
        for service in canary.stack.services.values():
            service.kill_9()
        gate.open()
        with pytest.raises(httpx.HTTPError):
            asked.result()
    for service in canary.stack.services.values():
        service.restart()
    canary.settle()


def leaks_of(canary: CanaryStack) -> Iterator[str]:
    """Every place where a secret could have got to."""
    canaries = canary.canaries
    for text in canary.errors:
        yield from canaries.found_in(text, where="the body of an error")
    for service in canary.stack.services.values():
        yield from canaries.found_in_log(service.log_path)
        yield from canaries.found_on_command_line(service.pid)
        yield from canaries.found_in(
            httpx.get(f"{service.ops_url}/metrics", trust_env=False, verify=False).text, where="/metrics"
        )
    yield from canaries.found_in_tables(canary.stack.books)
    ids = canary.stack.books.rows("select transaction_id::text as id from provider.wallet_transactions limit 30")
    known = [(package, "transaction", row["id"]) for package in ("casino", "provider") for row in ids[::10]]
    for package, *arguments in (*COMMANDS, *known):
        printed = canary.run(package, *arguments)
        assert "No such command" not in printed
        yield from canaries.found_in(printed, where=f"what `{package} {arguments[0]}` prints")


def test_no_secret_is_found_anywhere_after_everything_was_tried(canary: CanaryStack) -> None:
    """Row H1, invariants I10 and I11."""
    for hop in canary.proxy.passages:
        canary.note_signature(hop.call.request.field("x-casino-signature"))
    session = play_everything_right(canary)
    play_everything_wrong(canary, session)
    play_with_a_hostile_wallet(canary)
    play_with_broken_databases(canary)
    # A second later the lines that were left out are counted. A process that is killed before that cannot count them.
    wait_until(lambda: not refusals_without_a_line(canary), "a line or a count for every refused request")
    kill_in_the_middle(canary)
    for hop in canary.proxy.passages:
        canary.note_signature(hop.call.request.field("x-casino-signature"))
    assert len(canary.canaries.everywhere) > 150
    assert len(canary.refused_ids) > 60
    leaks = sorted(set(leaks_of(canary)))
    assert not leaks, "\n".join(leaks)
    assert not refusals_without_a_line(canary)


def refusals_without_a_line(canary: CanaryStack) -> Counter[str]:
    """How many refused requests of each code have no line in the logs, and are not counted there either."""
    logs = "".join(service.log_path.read_text() for service in canary.stack.services.values())
    plain = re.sub(r"\x1b\[[0-9;]*m", "", logs)
    lines = [line for line in plain.splitlines() if "request_refused" in line]
    silent = Counter(
        code for request_id, code in canary.refused_ids.items()
        if not any(request_id in line and code in line for line in lines)
    )  # fmt: skip
    return silent - counted_in(lines)


def counted_in(lines: list[str]) -> Counter[str]:
    """The refusals of each code beyond the ten a second that have a line of their own."""
    counted: Counter[str] = Counter()
    for line in lines:
        if left_out := re.search(r"lines_left_out\W+(\d+)", line):
            code = re.search(r"\bcode\W+(\w+)", line)
            assert code is not None, line
            counted[code[1]] += int(left_out[1])
    return counted
