"""What a spinId stands for in the database: one ask of the provider at a time, one answer for ever."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from casino.wallet.commands import token_hash
from casino_testing.bonuses import BONUS_MINOR, promise
from casino_testing.service import login_url
from casino_testing.tenant import SLOTS, Row, Tenant
from casino_testing.wallet import Session, Wallet, new_id
from shared_service_testing.waiting import wait_until

LATER = "2999-01-01"
WAITING = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%%begin_spin%%' and pid = %s"


@dataclass
class Player:
    """What the service asks of the database for one player, in the player's view."""

    tenant: Tenant
    connection: psycopg.Connection[Row]
    player_id: str = "1"
    live: tuple[str, ...] = ("main",)

    def _call(self, statement: str, **values: Any) -> Row:
        given = {"ledger": self.tenant.ledger_id, "player": self.player_id, **values}
        with self.connection.transaction():
            self.connection.execute("select casino.see_tenant(%s, %s)", (self.tenant.ledger_id, self._seen()))
            row = self.connection.execute(statement, given).fetchone()  # type: ignore[call-overload]
        assert isinstance(row, dict)
        return row

    def _seen(self) -> str:
        return str(self.tenant.wallet(self.player_id)["tenant_id"])

    def begin(self, spin_id: str = "spin", stake: int = 1_000, game: str = "SLOTS_001") -> Row:
        session_id = uuid.uuid4()
        return self._call(
            "select * from casino.begin_spin(%(ledger)s, %(player)s, %(spin)s, %(stake)s, %(game)s, %(session)s,"
            " %(hash)s::bytea, null, %(live)s)",
            spin=spin_id, stake=stake, game=game, session=session_id,
            hash=bytes.fromhex(token_hash(session_id.hex)), live=list(self.live),
        )  # fmt: skip

    def end(self, round_id: str, win: int, spin_id: str = "spin") -> bool:
        return bool(
            self._call(
                "select casino.end_spin(%(ledger)s, %(player)s, %(spin)s, %(round)s, %(win)s, 5, '[]') as done",
                spin=spin_id, round=round_id, win=win,
            )["done"]
        )  # fmt: skip

    def refuse(self, code: str, spin_id: str = "spin") -> None:
        self._call(
            "select casino.refuse_spin(%(ledger)s, %(player)s, %(spin)s, %(code)s, 'a sentence')",
            spin=spin_id,
            code=code,
        )

    def repeat(self, begun: Row, *, lost: bool = False, spin_id: str = "spin") -> bool:
        return bool(
            self._call(
                "select casino.repeat_spin(%(ledger)s, %(player)s, %(spin)s, %(session)s, %(attempt)s, %(lost)s) as ok",
                spin=spin_id, session=begun["o_session_id"], attempt=begun["o_attempt"], lost=lost,
            )["ok"]
        )  # fmt: skip


@pytest.fixture
def connect(tenant: Tenant) -> Iterator[Callable[[], Player]]:
    opened: list[psycopg.Connection[Row]] = []

    def new() -> Player:
        opened.append(
            psycopg.connect(login_url(tenant.url), autocommit=True, options="-c role=casino_app", row_factory=dict_row)
        )
        return Player(tenant, opened[-1])

    yield new
    for each in opened:
        each.close()


@pytest.fixture
def player(connect: Callable[[], Player]) -> Player:
    return connect()


def session_of(begun: Row, player_id: str = "1") -> Session:
    return Session(begun["o_session_id"], begun["o_session_id"].hex, player_id)


def play(wallet: Wallet, begun: Row, win: int = 0, stake: int = 1_000) -> str:
    """The provider's part: one debit, one credit. Returns the round's id."""
    session, round_id = session_of(begun), new_id("round")
    bet = wallet.bet(session, stake, round_id=round_id)
    wallet.accept(session.credit(win, round_id=round_id, related_id=bet.transaction_id, end_round=True))
    return round_id


def hash_of(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"hash-{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def test_a_spin_opens_a_session_inside_the_play_session_and_the_next_uses_it(player: Player, tenant: Tenant) -> None:
    first, second = player.begin("one"), player.begin("two")
    assert (first["o_state"], first["o_code"], first["o_wire_spin_id"]) == ("ASKED", None, "one")
    assert (first["o_game_code"], first["o_currency"], first["o_provider_id"]) == ("SLOTS_001", "USD", "main")
    assert second["o_session_id"] == first["o_session_id"]
    (session,) = tenant.rows("game_sessions")
    (play_session,) = tenant.rows("play_sessions")
    assert session["play_session_id"] == play_session["play_session_id"]
    assert player.begin("three", game="2")["o_session_id"] != first["o_session_id"], "another game"


def test_a_copy_asks_for_the_same_spin_in_the_same_session(connect: Callable[[], Player]) -> None:
    first = connect().begin()
    assert connect().begin() == first


@pytest.mark.parametrize("change", [{"stake": 2_000}, {"game": "CRASH_001"}, {"game": "nothing"}, {"stake": 5}])
def test_another_stake_or_game_under_it_is_a_mismatch_before_anything_else(
    player: Player, tenant: Tenant, change: dict[str, Any]
) -> None:
    player.begin()
    tenant.set_wallet(cooldown_until=LATER)
    assert player.begin(**change)["o_code"] == "IDEMPOTENCY_MISMATCH"
    assert player.begin(game=SLOTS)["o_state"] == "ASKED", "the id and the code name one game"


def test_the_outcome_is_kept_once_the_ledger_confirms_it(player: Player, tenant: Tenant, wallet: Wallet) -> None:
    begun = player.begin()
    assert not player.end("never played", 0)
    round_id = play(wallet, begun, win=300)
    assert not player.end(round_id, 301), "a payout that was not booked"
    assert player.end(round_id, 300)
    assert player.end("whatever", 7), "it stays as it was"
    (spin,) = tenant.rows("spins")
    assert (spin["state"], spin["round_id"], spin["win_minor"]) == ("PLAYED", round_id, 300)
    tenant.set_wallet(blocked_at="2026-01-01")
    assert player.begin()["o_state"] == "PLAYED", "a replay comes before every gate"


def test_a_round_of_another_stake_or_without_a_payout_is_no_outcome(player: Player, wallet: Wallet) -> None:
    begun = player.begin()
    assert not player.end(play(wallet, begun, stake=2_000), 0)
    bet = wallet.bet(session_of(begun), round_id="open")
    assert not player.end("open", 0)
    wallet.accept(session_of(begun).credit(0, round_id="open", related_id=bet.transaction_id))
    assert player.end("open", 0)


def test_it_says_whether_its_round_triggered_a_bonus(player: Player, tenant: Tenant, wallet: Wallet) -> None:
    for number, (provider_id, triggered) in enumerate([("main", True), ("acme", False)]):
        spin_id = f"spin-{number}"
        round_id = play(wallet, player.begin(spin_id))
        tenant.sql(
            "insert into casino.bonuses (ledger_id, tenant_id, wallet_id, amount_minor, currency, voucher_id,"
            " agent_tenant_id, state, promised_at, decided_at, transaction_id, round_id, provider_id)"
            " values (%s, %s, %s, 1, 'USD', 'v', 'a', 'GRANTED', now(), now(), 't', %s, %s)",
            tenant.ledger_id, tenant.tenant_id, tenant.wallet()["wallet_id"], round_id, provider_id,
        )  # fmt: skip
        assert player.end(round_id, 0, spin_id)
        (spin,) = [row for row in tenant.rows("spins") if row["spin_id"] == spin_id]
        assert spin["bonus_triggered"] is triggered
    tenant.sql("delete from casino.bonuses where ledger_id = %s", tenant.ledger_id)  # nothing was booked for them


def test_its_balance_has_the_bonus_whatever_the_provider_says(player: Player, tenant: Tenant, wallet: Wallet) -> None:
    """A provider that found the payout in the feed tells the entry's own balance."""
    tenant.open_player("poor", balance_minor=1_000)
    promise(tenant, "poor")
    player.player_id = "poor"
    begun = player.begin()
    session = session_of(begun, "poor")
    bet = wallet.bet(session, 1_000, round_id="lost")
    wallet.accept(session.credit(0, round_id="lost", related_id=bet.transaction_id, end_round=True))
    assert player.end("lost", 0)
    (spin,) = tenant.rows("spins")
    assert (spin["balance_minor"], spin["bonus_triggered"]) == (BONUS_MINOR, True)


def test_a_refusal_of_the_wallet_is_kept(player: Player, tenant: Tenant, wallet: Wallet) -> None:
    begun = player.begin()
    player.refuse("INSUFFICIENT_BALANCE")
    again = player.begin()
    assert (again["o_state"], again["o_code"], again["o_sentence"]) == (
        "REFUSED", "INSUFFICIENT_BALANCE", "a sentence",
    )  # fmt: skip
    assert player.repeat(begun)
    assert not player.end(play(wallet, begun), 0), "what was refused has no outcome"
    assert tenant.rows("spins")[0]["state"] == "REFUSED"


def test_an_ask_without_outcome_is_repeated_under_another_id_at_the_provider(player: Player, wallet: Wallet) -> None:
    begun = player.begin()
    bet = wallet.bet(session_of(begun), round_id="r")
    assert not player.repeat(begun), "while a bet is open an outcome may come"
    wallet.accept(session_of(begun).rollback(bet.transaction_id, round_id="r"))
    assert player.repeat(begun)
    assert player.repeat(begun), "of two who were told so, one moves on"
    again = player.begin()
    assert (again["o_attempt"], again["o_session_id"]) == (2, begun["o_session_id"])
    assert again["o_wire_spin_id"] == hash_of("2 spin")


def test_a_lost_session_is_closed_and_replaced(player: Player, tenant: Tenant) -> None:
    lost = player.begin()
    assert player.repeat(lost, lost=True)
    again = player.begin()
    assert again["o_session_id"] != lost["o_session_id"]
    assert again["o_wire_spin_id"] == "spin", "the provider may have played it"
    assert player.repeat(lost), "who was told of the lost session is late"
    assert player.begin() == again
    closed = {row["session_id"]: row["closed_at"] is not None for row in tenant.rows("game_sessions")}
    assert closed[lost["o_session_id"]]
    assert list(closed.values()).count(False) == 1


@pytest.mark.parametrize(
    "gate", [{"bonus_ack_required": True}, {"cooldown_until": LATER}, {"blocked_at": "2026-01-01"}]
)
def test_a_spin_of_a_lost_session_keeps_no_refusal_because_it_may_have_been_played(
    player: Player, tenant: Tenant, wallet: Wallet, gate: dict[str, Any]
) -> None:
    """Red before: the bonus that a spin triggered refused the same spin for ever, although it was played."""
    begun = player.begin()
    round_id = play(wallet, begun, win=300)
    assert player.repeat(begun, lost=True)
    tenant.set_wallet(**gate)
    assert player.begin()["o_state"] == "REFUSED"
    assert tenant.rows("spins")[0]["state"] == "ASKED"
    tenant.set_wallet(bonus_ack_required=False, cooldown_until=None, blocked_at=None)
    again = player.begin()
    assert (again["o_state"], again["o_wire_spin_id"]) == ("ASKED", begun["o_wire_spin_id"])
    assert player.end(round_id, 300)


def test_a_spin_that_is_new_again_keeps_its_refusal(player: Player, tenant: Tenant) -> None:
    lost = player.begin()
    player.repeat(lost, lost=True)
    player.repeat(player.begin())
    tenant.set_wallet(bonus_ack_required=True)
    assert player.begin()["o_code"] == "BONUS_ACK_REQUIRED"
    tenant.set_wallet(bonus_ack_required=False)
    assert player.begin()["o_state"] == "REFUSED"


@pytest.mark.parametrize(
    "changes",
    [{"closed_at": "2026-01-01"}, {"expires_at": "2026-01-01"}, {"stake_max_minor": 5_000}, {"play_session_id": None}],
)
def test_a_session_that_is_not_as_a_new_one_is_not_used(
    player: Player, tenant: Tenant, changes: dict[str, Any]
) -> None:
    first = player.begin("one")
    tenant.set_session(first["o_session_id"], **changes)
    assert player.begin("two")["o_session_id"] != first["o_session_id"]
    assert player.begin("one")["o_session_id"] == first["o_session_id"], "a copy asks in the session of the first"


@pytest.mark.parametrize("spin_id", ["a b", "x" * 65, "x" * 128, "ü~!"])
def test_an_id_that_providers_do_not_take_has_a_hash_in_its_place(player: Player, spin_id: str) -> None:
    assert player.begin(spin_id)["o_wire_spin_id"] == hash_of(f"1 {spin_id}")


STOPS = "delete from casino.stops where ledger_id = %s"


def stop(of: Player) -> None:
    of.tenant.sql(
        "insert into casino.stops (ledger_id, tenant_id, scope, target, reason, made_by, made_at)"
        " values (%s, %s, 'game', 'SLOTS_001', 'a reason', '1', now())",
        of.tenant.ledger_id,
        of.tenant.tenant_id,
    )


ORDER: list[tuple[str, Callable[[Player], Any], bool]] = [
    ("BONUS_ACK_REQUIRED", lambda of: of.tenant.set_wallet(bonus_ack_required=True), True),
    ("COOLDOWN_ACTIVE", lambda of: of.tenant.set_wallet(cooldown_until=LATER), True),
    ("PLAYER_NOT_ACTIVE", lambda of: of.tenant.set_wallet(blocked_at="2026-01-01"), True),
    ("GAME_DISABLED", lambda of: of.tenant.set_game(disabled_at="2026-01-01"), False),
    ("PLAY_STOPPED", stop, False),
    ("TENANT_NOT_ACTIVE", lambda of: of.tenant.set_tenant(status="SUSPENDED"), True),
    ("INVALID_STAKE", lambda of: of.tenant.set_game(stake_min_minor=2_000), False),
    ("GAME_NOT_FOUND", lambda of: of.tenant.set_game(game_code="ANOTHER"), False),
]
"""The order of refusals from its end: each goes before those above it. True: it is kept."""


def test_the_order_of_refusals_and_which_are_kept(player: Player, tenant: Tenant) -> None:
    for number, (code, change, is_kept) in enumerate(ORDER):
        change(player)
        refused = player.begin(f"spin-{number}")
        assert (refused["o_state"], refused["o_code"]) == ("REFUSED", code)
        assert (refused["o_sentence"] == "a reason") == (code == "PLAY_STOPPED")
        assert [row["code"] for row in tenant.rows("spins") if row["spin_id"] == f"spin-{number}"] == [code] * is_kept
    assert tenant.rows("game_sessions") == [], "refused before a session is opened"
    told = [(row["event_type"], row["code"], row["amount_minor"]) for row in tenant.events()]
    assert told == [("ERROR", code, 1_000) for code, _, is_kept in ORDER if is_kept]
    tenant.set_tenant(status="ACTIVE")
    tenant.set_wallet(cooldown_until=None, blocked_at=None, bonus_ack_required=False)
    tenant.sql(STOPS, tenant.ledger_id)
    tenant.set_game(disabled_at=None, stake_min_minor=1_000, game_code="SLOTS_001")
    found = [player.begin(f"spin-{number}")["o_state"] for number in range(len(ORDER))]
    assert found == ["REFUSED" if is_kept else "ASKED" for _, _, is_kept in ORDER]


def test_a_game_of_a_provider_that_takes_no_launch_is_disabled(player: Player) -> None:
    player.live = ()
    assert player.begin()["o_code"] == "GAME_DISABLED"


def test_a_spin_that_is_asked_for_anew_is_judged_anew(player: Player, tenant: Tenant) -> None:
    player.repeat(player.begin())
    tenant.set_game(disabled_at="2026-01-01")
    assert player.begin()["o_code"] == "GAME_DISABLED"
    tenant.set_game(disabled_at=None)
    assert player.begin()["o_attempt"] == 2


def test_two_players_use_one_id(player: Player) -> None:
    player.begin()
    player.player_id = "2"
    assert player.begin(stake=2_000)["o_state"] == "ASKED"


def test_nobody_begins_a_spin_of_a_player_out_of_sight(player: Player, tenant: Tenant) -> None:
    below = tenant.add_tenant_below("below")
    with player.connection.transaction():
        player.connection.execute("select casino.see_tenant(%s, %s)", (tenant.ledger_id, below))
        row = player.connection.execute(
            "select o_code from casino.begin_spin(%s, '1', 'x', 1000, '1', gen_random_uuid(), 'x'::bytea, null,"
            " '{main}')",
            (tenant.ledger_id,),
        ).fetchone()
    assert row == {"o_code": "GAME_NOT_FOUND"}
    assert tenant.rows("spins") == []


def test_two_copies_at_once_begin_one_spin(connect: Callable[[], Player], tenant: Tenant) -> None:
    """The second waits for the first one's commit, and finds its spin and its session."""
    one, two = connect(), connect()
    one.begin("before", game="2")  # the play session runs: nobody waits for it
    found: list[Row] = []
    with one.connection.transaction():
        first = one.begin()
        other = threading.Thread(target=lambda: found.append(two.begin()))
        other.start()
        wait_until(lambda: bool(tenant.sql(WAITING, two.connection.info.backend_pid)), "the second waits")
    other.join(10)
    assert found == [first]
    assert (len(tenant.rows("spins")), len(tenant.rows("game_sessions"))) == (2, 2)


def test_no_two_ids_lead_to_one_spin_of_the_provider(tenant: Tenant) -> None:
    """Red before: an id that needs a hash, and that hash, led to one spin."""

    def wire_id(spin_id: str, attempt: int = 1) -> str:
        return str(tenant.sql("select casino.wire_spin_id(%s, %s) as id", spin_id, attempt)[0]["id"])

    ids = [
        "one",
        "ONE",
        "~",
        "~~",
        "x" * 64,
        "x" * 65,
        "hash-",
        "hash-one",
        *(wire_id(each) for each in ("~", "x" * 65)),
    ]
    found = [wire_id(spin_id, attempt) for spin_id in ids for attempt in (1, 2)]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch("[0-9A-Za-z_-]{1,64}", each) for each in found)
    assert wire_id("one") == "one", "the player's own id is the client seed"
