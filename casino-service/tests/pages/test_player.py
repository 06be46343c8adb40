"""The player's pages: redeem, log in, lobby, launch, history, limits, exclusion."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from casino.pages.sessions import OF_PLAYER
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
