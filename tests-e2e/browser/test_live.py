"""What changes while a page is open: the balance in every tab, the bonus, the reality check, a casino that is away."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from e2e_testing.browser import Visitor, redeem, sell
from e2e_testing.database import Database
from e2e_testing.platform_player import PlatformPlayer
from e2e_testing.platform_staff import Operator

StartVisitor = Callable[..., Visitor]
BALANCE = ".bar [data-test=balance]"
OWN = "select player_id from casino.players order by created_at desc limit 1"


@pytest.fixture
def player(cashier: Visitor, visit: StartVisitor) -> Visitor:
    """Somebody with a voucher of 20.00, in the lobby."""
    visitor = visit()
    redeem(visitor, sell(cashier, "20.00"))
    return visitor


def player_id(database: Database) -> str:
    (row,) = database.rows(OWN)
    return str(row["player_id"])


def shows(page: Page, minor: int) -> None:
    """The page comes to show this balance by itself."""
    expect(page.locator(BALANCE)).to_have_attribute("data-minor", str(minor))


def api_player(visitor: Visitor, database: Database) -> PlatformPlayer:
    """The same player's API, with the token of the browser's cookie."""
    (token,) = (each["value"] for each in visitor.context.cookies() if each["name"] == "casino-player")
    return PlatformPlayer(visitor.url, player_id(database), token)


def test_the_balance_is_live_in_every_tab_from_any_source(
    player: Visitor, operator: Operator, database: Database
) -> None:
    second = player.context.new_page()
    player.watch(second)
    second.goto("/history")
    for page in (player.page, second):
        shows(page, 2_000)
    body = {"amountMinor": 123, "reason": "from elsewhere"}
    operator.cashier.post(f"/admin/players/{player_id(database)}/deposit", body)
    for page in (player.page, second):
        shows(page, 2_123)
    assert player.page.locator(BALANCE).inner_text().startswith("21.23")


def test_an_older_balance_never_replaces_a_newer_one(player: Visitor) -> None:
    state = player.page.evaluate("() => fetch('/state').then((answer) => answer.json())")
    asked = []

    def answer(route: Route) -> None:
        versions = {0: ("5000", "9"), 1: ("1", "8")}
        minor, version = versions.get(len(asked), ("6000", "10"))
        asked.append(version)
        route.fulfill(status=200, body=json.dumps(state | {"balanceMinor": minor, "version": version}))

    player.page.route("**/state", answer)
    shows(player.page, 5_000)
    player.page.wait_for_function("() => true")
    seen = {player.minor()}
    while len(asked) < 3:
        player.page.wait_for_timeout(200)
        seen.add(player.minor())
    shows(player.page, 6_000)
    assert 1 not in seen


def test_a_bonus_is_acknowledged_before_play_goes_on(cashier: Visitor, visit: StartVisitor, database: Database) -> None:
    visitor = visit()
    redeem(visitor, sell(cashier, "1.00"))
    api = api_player(visitor, database)
    spins = 0
    while not api.spin(stake_minor=100)["bonusTriggered"]:
        spins += 1
        assert spins < 500
    dialog = visitor.page.locator("[data-test=bonus]")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("(each) => each.matches(':modal')"), "nothing behind it can be used"
    visitor.page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    assert api.ask("refused", stake_minor=1).json()["code"] == "BONUS_ACK_REQUIRED"
    visitor.press("acknowledge")
    visitor.page.wait_for_url("**/lobby")
    expect(dialog).to_be_hidden()
    assert visitor.minor() >= 50


def test_a_reality_check_comes_by_itself_and_is_acknowledged(player: Visitor, database: Database) -> None:
    database.rows(
        "update casino.play_sessions set check_due_at = now() - interval '1 second' where player_id = %(player)s"
        " returning 1",
        player=player_id(database),
    )
    dialog = player.page.locator("[data-test=reality-check]")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("less than a minute")
    dialog.get_by_role("button", name="Go on").click()
    player.page.wait_for_url("**/lobby")
    expect(dialog).to_be_hidden()


ACTION = (
    "insert into casino.safety_actions (ledger_id, tenant_id, player_id, wallet_id, play_session_id, at, action_type,"
    " score, band, reasons, evidence) select ledger_id, tenant_id, player_id, wallet_id, play_session_id, now(),"
    " %(action)s, 60, 'TILT_RISK', '{LOSS_STREAK}', '{}' from casino.play_sessions where player_id = %(player)s"
    " returning 1"
)


def test_a_nudge_stays_on_its_page_and_a_pause_is_a_dialog_without_play(player: Visitor, database: Database) -> None:
    own = player_id(database)
    launches = player.page.locator("[data-test=launch]")
    expect(launches.first).to_be_visible()
    database.rows(ACTION, action="NUDGE", player=own)
    messages = player.page.locator("[data-messages]")
    expect(messages).to_contain_text("Quick check-in")
    database.rows(
        "update casino.wallets set cooldown_until = now() + interval '1 hour' where player_id = %(player)s returning 1",
        player=own,
    )
    database.rows(ACTION, action="COOLDOWN", player=own)
    pause = player.page.locator("[data-test=pause]")
    expect(pause).to_contain_text("pause for 90s")
    pause.get_by_role("button", name="OK").click()
    expect(pause).to_be_hidden()
    expect(messages).to_contain_text("You are taking a break from play. Until")
    expect(messages).to_contain_text("Quick check-in")
    expect(launches.first).to_be_hidden()
    player.page.reload()
    expect(launches).to_have_count(0)
    database.rows(
        "update casino.wallets set cooldown_until = null where player_id = %(player)s returning 1", player=own
    )
    expect(launches.first).to_be_visible()


def test_a_casino_that_does_not_answer_is_said_and_the_page_comes_back(player: Visitor) -> None:
    player.expected += ["[casino]", "ERR_FAILED", "net::"]
    player.page.route("**/state", lambda route: route.abort())
    blocker = player.page.locator("[data-test=blocker]")
    expect(blocker).to_be_visible()
    assert player.minor() == 2_000, "the last known balance is still shown"
    assert player.page.evaluate("() => document.activeElement.closest('dialog') !== null"), "the focus is kept in it"
    player.page.unroute("**/state")
    expect(blocker).to_be_hidden()
    expect(player.page.locator("[data-failures]")).to_have_count(0)
    assert any(each.startswith("[casino]") for each in player.complaints)


def test_a_login_that_ended_elsewhere_leads_to_the_login(player: Visitor, database: Database) -> None:
    assert api_player(player, database).call("POST", "/player/logout", {}).status_code == 200
    player.page.wait_for_url("**/login")


def test_going_back_after_a_logout_shows_nothing(player: Visitor) -> None:
    player.page.get_by_role("button", name="Log out").click()
    player.page.wait_for_url(player.url + "/")
    player.page.go_back()
    player.page.wait_for_url("**/login")
