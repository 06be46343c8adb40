"""`casino events import`, `dedupe`, `rebuild-snapshots` and `detach`, and `casino games set`, as a person runs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from casino.__main__ import main
from casino_testing.processes import HeldTransaction, held_transaction
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet

Run = Callable[..., Result]
AT = "2025-03-01T12:00:00+01:00"


@pytest.fixture
def demo(own_database: str) -> Iterator[Tenant]:
    """The demo tenant, in a database of its own: months are made and detached."""
    tenant = Tenant.demo(own_database)
    yield tenant
    assert tenant.differences() == []
    tenant.close()


@pytest.fixture
def run(demo: Tenant) -> Run:
    """Runs a command of the casino, without any secret."""

    def run_it(*arguments: str, given: bytes | str | None = None) -> Result:
        environment = {"CASINO_OWNER_DATABASE_URL": demo.url, "CASINO_TENANT": "JAQPOT", "CASINO_LEDGER": "1"}
        return CliRunner().invoke(main, arguments, env=environment, input=given)

    return run_it


def line(**fields: Any) -> str:
    values = {"tenantId": "JAQPOT", "type": "BET", "actionId": "a", "at": AT, **fields}
    return json.dumps({name: value for name, value in values.items() if value is not ...}) + "\n"


def imported(tenant: Tenant) -> list[dict[str, Any]]:
    return sorted(
        (row for row in tenant.rows("ledger_events") if row["imported"]), key=lambda row: str(row["action_id"])
    )


def said(result: Result) -> tuple[int, list[str]]:
    return result.exit_code, result.output.splitlines()


def test_a_line_is_imported_with_all_its_members(run: Run, demo: Tenant, tmp_path: Path) -> None:
    full = {
        "playerId": "p", "sessionId": "s", "roundId": "r", "gameKey": "g", "provider": "other", "region": "north",
        "agentId": "a-1", "cashierId": "c-1", "amountMinor": 250, "currency": "EUR", "code": "x", "route": "/y",
        "unknown": {"is": "ignored"},
    }  # fmt: skip
    file = tmp_path / "events.jsonl"
    file.write_text(line(**full) + "\n" + line(actionId="b", playerId=None, amountMinor=None).strip())
    assert said(run("events", "import", str(file))) == (0, ["imported 2, known 0, skipped 0"])
    first, second = imported(demo)
    assert [first[name] for name in (
        "player_id", "session_id", "round_id", "game_key", "provider_id", "region", "agent_id", "cashier_id",
        "amount_minor", "currency", "code", "route",
    )] == list(full.values())[:-1]  # fmt: skip
    assert (first["tenant_id"], first["event_type"], first["at"].isoformat()) == (
        "JAQPOT",
        "BET",
        "2025-03-01T11:00:00+00:00",
    )
    assert (second["player_id"], second["amount_minor"], second["currency"]) == (None, 0, "USD")
    assert said(run("events", "import", str(file))) == (0, ["imported 0, known 2, skipped 0"])
    assert len(imported(demo)) == 2


BAD_LINES = {
    "{": "truncated",
    "[]": "Expected `object`",
    '{"type": "BET"}': "tenantId",
    line(at=...): "`at`",
    line(actionId=...): "`actionId`",
    line(actionId=""): "length >= 1 - at `$.actionId`",
    line(actionId="x" * 513): "length <= 512 - at `$.actionId`",
    line(type="SPIN"): "`$.type`",
    line(type=7): "`$.type`",
    line(tenantId="NOBODY"): "tenantId is no tenant of this ledger",
    line(at="2025-03-01T12:00:00"): "timezone",
    line(at="2025-02-29T12:00:00Z"): "`$.at`",
    line(at="0001-01-01T00:00:00+14:00"): "outside the years",
    line(amountMinor=-1): "`$.amountMinor`",
    line(amountMinor=1.5): "`$.amountMinor`",
    line(amountMinor=True): "`$.amountMinor`",
    line(amountMinor=2**63): "`$.amountMinor`",
    line(amountMinor="1"): "`$.amountMinor`",
    line(currency="dollars"): "currency must be",
    line(playerId="a\0b"): "U+0000",
    line(playerId=5): "`$.playerId`",
    '{"tenantId": "\\ud800"}': "",
    "x" * 70_000: "longer than 65536 bytes",
}


def test_bad_lines_are_named_and_the_others_imported(run: Run, demo: Tenant) -> None:
    lines = [text.strip() for text in BAD_LINES]
    lines.insert(3, line(actionId="good").strip())
    lines += ["", line(actionId="last").strip()]
    status, output = said(run("events", "import", "-", given="\n".join(lines)))
    assert (status, output[-1]) == (2, f"imported 2, known 0, skipped {len(BAD_LINES)}")
    numbers = [number for number in range(1, len(BAD_LINES) + 2) if number != 4]
    for number, why, text in zip(numbers, BAD_LINES.values(), output, strict=False):
        assert text.startswith(f"line {number}: "), text
        assert why in text
    assert [row["action_id"] for row in imported(demo)] == ["good", "last"]


def test_bytes_that_are_no_text_and_other_ends_of_lines(run: Run, demo: Tenant) -> None:
    given = b"\xef\xbb\xbf" + line().strip().encode() + b"\r\n\xff\xfe\r\n" + line(actionId="b").encode()
    status, output = said(run("events", "import", "-", given=given))
    assert (status, output[0][:7], output[-1]) == (2, "line 2:", "imported 2, known 0, skipped 1")


def test_an_event_is_the_same_at_another_time_and_the_earliest_stays(run: Run, demo: Tenant) -> None:
    twice = line(at="2025-05-01T00:00:00Z", playerId="late") + line(at="2025-04-01T00:00:00Z", playerId="early")
    assert said(run("events", "import", "-", given=twice)) == (0, ["imported 1, known 1, skipped 0"])
    assert [row["player_id"] for row in imported(demo)] == ["early"]
    earlier = line(at="2025-01-01T00:00:00Z", playerId="earliest") + line(at="2025-06-01T00:00:00Z")
    assert said(run("events", "import", "-", given=earlier)) == (0, ["imported 0, known 2, skipped 0"])
    assert [row["player_id"] for row in imported(demo)] == ["earliest"]
    others = line(type="WIN") + line(actionId="b")
    assert said(run("events", "import", "-", given=others)) == (0, ["imported 2, known 0, skipped 0"])


def test_an_event_of_the_ledger_itself_is_never_replaced(run: Run, demo: Tenant) -> None:
    wallet = Wallet(demo, settings_of(demo))
    bet = wallet.bet(wallet.open_session("1"))
    wallet.close()
    before = demo.events()
    own = line(actionId=f"main:1:{bet.transaction_id}", amountMinor=7)
    assert said(run("events", "import", "-", given=own)) == (0, ["imported 0, known 1, skipped 0"])
    assert demo.events() == before


def test_missing_months_are_made_and_far_ones_are_not(run: Run, demo: Tenant) -> None:
    given = "".join(
        line(actionId=at, at=at) for at in ("2019-02-28T23:59:59Z", "2019-03-01T00:00:00+01:00", "1999-01-01T00:00:00Z")
    )
    assert run("events", "import", "-", given=given).exit_code == 0
    places = {
        row["action_id"]: row["place"]
        for row in demo.sql(
            "select action_id, tableoid::regclass::text as place from casino.ledger_events where imported"
        )
    }
    assert places == {
        "2019-02-28T23:59:59Z": "casino.ledger_events_2019_02",
        "2019-03-01T00:00:00+01:00": "casino.ledger_events_2019_02",
        "1999-01-01T00:00:00Z": "casino.ledger_events_default",
    }


def test_nothing_is_imported_from_a_file_that_is_not_there(run: Run, demo: Tenant) -> None:
    result = run("events", "import", "/nowhere/x")
    assert (result.exit_code, "cannot read /nowhere/x" in result.output) == (1, True)
    assert demo.rows("ledger_events")
    assert demo.sql("select count(*) as left from casino.import_lines") == [{"left": 0}]


def test_dedupe_keeps_the_earliest_and_the_ledgers_own(run: Run, demo: Tenant) -> None:
    own = demo.rows("ledger_events")[0]
    insert = """
        insert into casino.ledger_events (ledger_id, at, tenant_id, event_type, action_id, currency, imported)
        values (1, %s, 'JAQPOT', %s, %s, 'USD', true)
    """
    for at, kind, action in (
        ("2025-01-02", "BET", "x"), ("2025-01-01", "BET", "x"), ("2025-01-03", "BET", "x"), ("2025-01-03", "WIN", "x"),
        ("2024-01-01", own["event_type"], own["action_id"]),
    ):  # fmt: skip
        demo.sql(insert, at, kind, action)
    assert said(run("events", "dedupe")) == (0, ["removed 3"])
    assert [(f"{row['at']:%F}", row["event_type"]) for row in imported(demo)] == [
        ("2025-01-01", "BET"),
        ("2025-01-03", "WIN"),
    ]
    assert own in demo.rows("ledger_events")
    assert said(run("events", "dedupe")) == (0, ["removed 0"])


def test_snapshots_are_rebuilt_from_imported_events(run: Run, demo: Tenant) -> None:
    events = line(sessionId="s", amountMinor=100) + line(type="WIN", sessionId="s", amountMinor=40)
    assert run("events", "import", "-", given=events).exit_code == 0
    assert said(run("events", "rebuild-snapshots")) == (0, ["snapshots 1"])
    (row,) = demo.rows("session_snapshots")
    assert (row["session_id"], row["bets"], row["staked_minor"], row["paid_minor"]) == ("s", 1, 100, 40)


def test_old_months_are_detached_and_the_ledger_is_whole(run: Run, demo: Tenant) -> None:
    events = "".join(
        line(actionId=at, at=f"{at}T00:00:00Z") for at in ("1998-05-05", "2024-01-31", "2024-02-01", "2024-03-01")
    )
    assert run("events", "import", "-", given=events).exit_code == 0
    assert said(run("events", "detach", "--before", "2024-03")) == (0, [
        "detached casino.detached_events_2024_01", "detached casino.detached_events_2024_02",
        "detached casino.detached_events_rest_before_2024_03",
    ])  # fmt: skip
    assert [row["action_id"] for row in imported(demo)] == ["2024-03-01"]
    assert demo.sql("select action_id from casino.detached_events_2024_01") == [{"action_id": "2024-01-31"}]
    assert demo.sql("select action_id from casino.detached_events_rest_before_2024_03") == [{"action_id": "1998-05-05"}]
    assert said(run("events", "detach", "--before", "2024-03")) == (0, [])
    assert run("events", "import", "-", given=events).exit_code == 0, "the month can be made again"
    result = run("events", "detach", "--before", "2024-02")
    assert (result.exit_code, "detached_events_2024_01" in result.output) == (1, True)


def test_the_ledgers_own_old_events_may_be_detached(run: Run, demo: Tenant) -> None:
    """check-ledger asks for no older ones. The deposits of the demo were made now: their month is over for the test."""
    demo.sql("select casino.make_event_months(4)")
    demo.make_clock_settable()
    demo.sql("alter function casino.clock() rename to kept_clock")
    demo.sql(
        "create function casino.clock() returns timestamptz language sql volatile as"
        " $$ select clock_timestamp() + interval '3 months' $$; grant execute on function casino.clock() to public"
    )
    month = demo.sql("select to_char(timezone('UTC', casino.clock()), 'YYYY-MM') as name")[0]["name"]
    assert run("events", "detach", "--before", month).exit_code == 0
    assert demo.rows("ledger_events") == []
    demo.sql("drop function casino.clock(); alter function casino.kept_clock() rename to clock")
    assert demo.differences() == []


@pytest.mark.parametrize(
    ("before", "why"), [("2199-01", "future"), ("2024-13", "a month"), ("2024", "a month"), ("2024-01-01", "a month")]
)
def test_only_a_past_month_is_detached(run: Run, before: str, why: str) -> None:
    result = run("events", "detach", "--before", before)
    assert (result.exit_code, why in result.output) == (1, True), result.output


def test_a_table_in_use_is_detached_when_it_is_free(run: Run, demo: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("casino.events.retention.TRIES", 1)
    monkeypatch.setattr("casino.events.retention.TABLE_LOCK_WAIT_MS", 50)
    assert run("events", "import", "-", given=line(at="2024-01-01T00:00:00Z")).exit_code == 0
    with held_transaction(demo) as held:
        reading(held)
        result = run("events", "detach", "--before", "2024-02")
        assert (result.exit_code, "in use" in result.output) == (1, True)
    assert run("events", "detach", "--before", "2024-02").exit_code == 0


def reading(held: HeldTransaction) -> None:
    held.execute("select count(*) from casino.ledger_events")


def test_a_game_gets_its_expected_rtp(run: Run, demo: Tenant) -> None:
    demo.set_tenant(timezone="Europe/Berlin")
    assert run("games", "set", "SLOTS_001", "--expected-rtp", "0.95", "--since", "2026-01-31").exit_code == 0
    assert run("games", "set", "SLOTS_001", "--expected-rtp", "0.96", "--since", "2026-01-31").exit_code == 0
    instant = ("--since", "2026-02-01T00:00:00Z")
    assert run("games", "set", "SLOTS_001", "--expected-rtp", "0.951234", "--tenant", "JAQPOT", *instant).exit_code == 0
    found = [(row["since"].isoformat(), str(row["expected_rtp"])) for row in demo.rows("game_configs")]
    assert sorted(found) == [("2026-01-30T23:00:00+00:00", "0.960000"), ("2026-02-01T00:00:00+00:00", "0.951234")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--expected-rtp", "95", "--since", "2026-01-31"),
        ("--expected-rtp", "nan", "--since", "2026-01-31"),
        ("--expected-rtp", "0.1234567", "--since", "2026-01-31"),
        ("--expected-rtp", "0.95", "--since", "yesterday"),
        ("--expected-rtp", "0.95", "--since", "2026-01-31T00:00:00"),
        ("--expected-rtp", "0.95", "--since", "2026-01-31", "--tenant", "NOBODY"),
        ("--expected-rtp", "0.95", "--since", "2026-01-31", "--tenant", ""),
    ],
)
def test_a_wrong_rtp_day_or_tenant_changes_nothing(run: Run, demo: Tenant, arguments: tuple[str, ...]) -> None:
    assert run("games", "set", "SLOTS_001", *arguments).exit_code == 1
    assert demo.rows("game_configs") == []
