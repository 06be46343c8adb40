"""The player's pages: redeem, log in, lobby, launch, history, limits, exclusion."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from casino.pages.sessions import OF_PLAYER
from casino.safety.page_events import MESSAGES
from casino_testing.api import Api, Tree
from casino_testing.desk import Desk
from casino_testing.edge import serving
from casino_testing.guest import Guest, redeemers
from casino_testing.tenant import Tenant

Come = Callable[[], Awaitable[Guest]]
GAMES = (("1", "SLOTS_001", "Slots"), ("2", "CRASH_001", "Crash"))


@pytest.fixture
async def player(cashier: Guest, guest: Guest, tree: Tree, api: Api) -> Guest:
    """Somebody who redeemed a voucher of 20.00, at a tenant with two games."""
    for game_id, code, name in GAMES:
        api.tenant.sql(
            "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
            " values (%s, %s, %s, %s, 1, 100000)",
            tree.operator_id, game_id, code, name,
        )  # fmt: skip
    sold = await cashier.send(await cashier.see("/desk/vouchers"), "/desk/vouchers", amount="20.00", count="1")
    page = await guest.send(
        await guest.see("/redeem"), "/redeem", code=sold.shown("code").lower().replace("-", " "), pin=sold.shown("pin")
    )
    assert page.status == 200, page.text
    return guest


async def test_a_redeemed_form_sent_again_shows_the_same_login(cashier: Guest, guest: Guest, api: Api) -> None:
    sold = await cashier.send(await cashier.see("/desk/vouchers"), "/desk/vouchers", amount="20.00", count="1")
    form = (await guest.see("/redeem")).form("/redeem") | {"code": sold.shown("code"), "pin": sold.shown("pin")}
    first, second = [await guest.post("/redeem", form) for _ in range(2)]
    logins = {answer.text.split('data-test="login-code">')[1][:12] for answer in (first, second)}
    assert len(logins) == 1
    assert len(redeemers(api.tenant)) == 1


async def test_a_login_comes_back_to_the_balance(cashier: Guest, guest: Guest, come: Come) -> None:
    sold = await cashier.send(await cashier.see("/desk/vouchers"), "/desk/vouchers", amount="20.00", count="1")
    redeemed = await guest.send(await guest.see("/redeem"), "/redeem", code=sold.shown("code"), pin=sold.shown("pin"))
    other = await come()
    page = await other.send(await other.see("/login"), "/login", login_code=redeemed.shown("login-code"), pin="000000")
    assert (page.status, "Login code or PIN is wrong" in page.text) == (401, True)
    page = await other.send(page, "/login", login_code=redeemed.shown("login-code"), pin=redeemed.shown("login-pin"))
    assert (page.status, page.minor("balance")) == (200, 2_000)


async def test_the_lobby_has_the_tenants_games_and_a_stop_closes_one(player: Guest, api: Api, tree: Tree) -> None:
    page = await player.see("/lobby")
    assert page.text.count('data-test="game"') == 2
    assert page.text.count('data-test="launch"') == 2
    stop = {"scope": "game", "id": "CRASH_001", "reason": "Back at noon <b>"}
    assert (await api.post("/admin/stops", stop, token=tree.operator.token)).status_code == 201
    page = await player.see("/lobby")
    assert page.text.count('data-test="launch"') == 1
    assert "Back at noon &lt;b&gt;" in page.text


async def test_a_launch_leads_to_the_games_url_and_a_refused_one_says_why(player: Guest, api: Api, tree: Tree) -> None:
    page = await player.see("/lobby")
    launched = await player.send(page, "/lobby/launch")
    assert launched.status == 200
    assert 'http-equiv="refresh"' in launched.text
    assert api.service.provider.asked()["userId"] == redeemers(api.tenant)[0]
    stop = {"scope": "all", "reason": "Closed for the night"}
    await api.post("/admin/stops", stop, token=tree.operator.token)
    refused = await player.send(page, "/lobby/launch")
    assert (refused.status, "Closed for the night" in refused.text) == (423, True)


async def test_limits_hold_at_once_and_a_higher_one_waits(player: Guest) -> None:
    page = await player.send(await player.see("/limits"), "/limits", kind="loss", period="day", value="100.00")
    assert "The limit is in force." in page.text
    assert 'data-minor="10000"' in page.text
    page = await player.send(page, "/limits", kind="loss", period="day", value="200")
    assert "wait for 24 hours" in page.text
    page = await player.send(page, "/limits/confirm")
    assert (page.status, "too early" in page.text) == (409, True)
    page = await player.send(page, "/limits", kind="time", period="day", value="1.5")
    assert (page.status, "minutes as a whole number" in page.text) == (400, True)
    page = await player.send(page, "/limits", kind="time", period="day", value="90")
    assert "<strong>90</strong> minutes" in page.text


async def test_a_limit_of_the_play_session_is_shown(player: Guest, api: Api, tree: Tree) -> None:
    (running,) = api.tenant.rows("play_sessions")
    desk = Desk(api.tenant, tree.operator_id)
    desk.call("set_session_limit", running["player_id"], running["play_session_id"], 1_500)
    desk.close()
    assert "until this session ends" in (await player.see("/limits")).text


async def test_exclusion_asks_to_be_sure_and_holds(player: Guest) -> None:
    page = await player.send(await player.see("/limits"), "/limits/exclude", period="P7D")
    assert (page.status, "tick the box" in page.text) == (400, True)
    page = await player.send(page, "/limits/exclude", period="P7D", sure="yes")
    assert "You are excluded from play." in page.text
    lobby = await player.see("/lobby")
    assert (lobby.status, 'data-test="launch"' in lobby.text) == (200, False)


ACTION = (
    "insert into casino.safety_actions (ledger_id, tenant_id, player_id, wallet_id, play_session_id, at, action_type,"
    " score, band, reasons, evidence) select play.ledger_id, tenant_id, player_id, wallet_id, play_session_id,"
    " casino.clock(), %s, 0, 'CALM', '{LOSS_STREAK}', '{}' from casino.play_sessions as play where ledger_id = %s"
)


@pytest.mark.parametrize("action", ["NUDGE", "COOLDOWN", "STOP"])
async def test_an_action_of_player_safety_is_shown_once_over_all_tabs(player: Guest, api: Api, action: str) -> None:
    assert (await player.client.get("/state")).json()["action"] is None
    api.tenant.sql(ACTION, action, api.tenant.ledger_id)
    assert (await player.client.head("/state")).status_code == 405
    by_hand = await player.client.get("/state", headers={"sec-fetch-mode": "navigate"})
    assert by_hand.json()["action"] is None, "no script would show it"
    answers = await asyncio.gather(*(player.client.get("/state") for _ in range(4)))
    (shown,) = [each.json()["action"] for each in answers if each.json()["action"] is not None]
    assert (shown["actionType"], shown["message"]) == (action, MESSAGES[action])
    (row,) = api.tenant.rows("safety_actions")
    assert row["shown_at"] is not None


async def test_without_a_play_session_there_is_no_action(player: Guest, api: Api) -> None:
    api.tenant.sql(ACTION, "STOP", api.tenant.ledger_id)
    api.tenant.sql(
        "update casino.play_sessions set ended_at = casino.clock() where ledger_id = %s", api.tenant.ledger_id
    )
    assert (await player.client.get("/state")).json()["action"] is None


@pytest.mark.parametrize("pause", ["cooldown_until = '2300-01-01'", "stopped_play_session_id"])
async def test_the_lobby_offers_no_play_in_a_pause(player: Guest, api: Api, pause: str) -> None:
    (running,) = api.tenant.rows("play_sessions")
    change = pause if "=" in pause else f"{pause} = '{running['play_session_id']}'"
    api.tenant.sql(f"update casino.wallets set {change} where player_id = %s", running["player_id"])
    lobby = await player.see("/lobby")
    assert ('data-test="launch"' in lobby.text, 'data-play="no"' in lobby.text) == (False, True)
    assert " Until <time" in lobby.text
    assert (await player.client.get("/state")).json()["mayPlay"] is False
    api.tenant.sql(
        "update casino.wallets set cooldown_until = null, stopped_play_session_id = null where player_id = %s",
        running["player_id"],
    )
    assert (await player.see("/lobby")).text.count('data-test="launch"') == 2


async def test_the_page_of_limits_shows_when_an_exclusion_ends(player: Guest, api: Api) -> None:
    (player_id,) = redeemers(api.tenant)
    assert 'data-test="excluded"' not in (await player.see("/limits")).text
    api.tenant.set_wallet(player_id, excluded_until="2300-01-01T12:30:00Z")
    assert "until <time" in (await player.see("/limits")).text
    assert "2300-01-01 12:30 UTC" in (await player.see("/limits")).text
    api.tenant.set_wallet(player_id, excluded_until="infinity")
    assert "excluded from play for good" in (await player.see("/limits")).text


async def test_the_state_is_text_with_its_version(player: Guest) -> None:
    answer = await player.client.get("/state")
    state = answer.json()
    assert (state["balanceMinor"], state["version"], state["bonusAckRequired"]) == ("2000", "1", False)
    assert answer.headers["cache-control"] == "no-store"


async def test_without_the_pepper_there_are_no_pages(tenant: Tenant) -> None:
    async with serving(tenant, pepper=b"", access_token_keys=()) as service:
        for path in ("/", "/redeem", "/desk/login"):
            assert (await service.anybody.get(path)).status_code == 404


async def test_a_token_of_nobody_leads_to_the_login(guest: Guest, api: Api) -> None:
    guest.client.cookies.set(f"casino-{OF_PLAYER}", api.player_token("nobody"))
    assert (await guest.see("/lobby")).status == 303
