"""Forms in a real browser: mashed keys, double taps, no JavaScript, a slip's link, amounts of every currency."""

import random
from collections.abc import Callable

import pytest

from e2e_testing.browser import Visitor, Voucher, log_in_at_desk, redeem, sell, username_of
from e2e_testing.database import Database
from e2e_testing.platform_staff import Operator
from shared_service.pages.amounts import shown
from shared_service.pages.assets import Assets, folder_of

StartVisitor = Callable[..., Visitor]
COUNT = "select count(*) as number from casino.vouchers"
SHOWN_BY_THE_PAGE = """async ([path, cases]) => {
    const {shown} = await import(path);
    return cases.map(([units, decimals]) => shown(units, decimals));
}"""


def vouchers(database: Database) -> int:
    (row,) = database.rows(COUNT)
    return int(row["number"])


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_double_tap_and_a_mashed_key_sell_one_voucher(
    visit: StartVisitor, operator: Operator, database: Database, scripts: bool
) -> None:
    cashier = visit(java_script_enabled=scripts)
    log_in_at_desk(cashier, username_of(operator, "cashier"))
    before = vouchers(database)
    page = cashier.go("/desk/vouchers")
    page.fill("[name=amount]", "3.00")
    page.locator("[data-test=issue]").dblclick(no_wait_after=True)
    assert cashier.see("code")
    assert vouchers(database) == before + 1
    page = cashier.go("/desk/vouchers")
    page.fill("[name=amount]", "3.00")
    for _ in range(5):
        page.keyboard.press("Enter", delay=0)
    assert cashier.see("code")
    assert vouchers(database) == before + 2


def test_everything_works_without_scripts(visit: StartVisitor, operator: Operator) -> None:
    cashier, player = (visit(java_script_enabled=False) for _ in range(2))
    log_in_at_desk(cashier, username_of(operator, "cashier"))
    redeem(player, sell(cashier, "20.00"))
    assert player.minor() == 2_000
    assert " UTC" in cashier.go("/desk/vouchers").locator("[data-test=voucher-row] time").first.inner_text()
    page = player.go("/limits")
    page.fill("[name=value]", "10.00")
    player.press("set-limit")
    assert page.locator("[data-test=limit]").count() == 1
    page = cashier.go("/desk/players")
    page.locator("[data-test=player-row] a").first.click()
    cashier.press("cash-out")
    assert cashier.minor("pay-out") == 2_000


def test_a_slips_link_fills_the_code_in_and_leaves_the_address(cashier: Visitor, visit: StartVisitor) -> None:
    voucher: Voucher = sell(cashier)
    player = visit()
    page = player.go(f"/redeem#{voucher.code}")
    page.wait_for_url("**/redeem")
    assert page.input_value("[name=code]") == voucher.code
    assert page.evaluate("() => document.activeElement.name") == "pin"
    assert page.evaluate("() => location.hash") == ""


def test_the_pages_formatter_and_the_servers_say_the_same(visit: StartVisitor) -> None:
    page = visit().go("/redeem")
    drawn = random.Random(7)
    amounts = [
        0,
        1,
        99,
        100,
        12345678,
        2**53 + 1,
        2**63 - 1,
        -1,
        -(2**63),
        *(drawn.getrandbits(63) for _ in range(200)),
    ]
    cases = [(units, decimals) for units in amounts for decimals in (0, 2, 3, 8)]
    own = Assets(folder_of("shared_service.pages")).path("amounts.js")
    told = page.evaluate(SHOWN_BY_THE_PAGE, [own, [[str(units), decimals] for units, decimals in cases]])
    assert told == [shown(units, decimals) for units, decimals in cases]


def test_the_keyboard_is_enough(visit: StartVisitor, operator: Operator) -> None:
    visitor = visit()
    page = visitor.go("/desk/login")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(username_of(operator, "cashier"))
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/vouchers")


def test_a_launch_opens_the_games_address(cashier: Visitor, visit: StartVisitor, operator: Operator) -> None:
    player = visit()
    redeem(player, sell(cashier))
    opened: list[str] = []
    player.page.on("framenavigated", lambda frame: opened.append(frame.url))
    player.expected += ["404", "Failed to load resource"]
    player.page.locator("[data-test=game][data-game=SLOTS_001] [data-test=launch]").click()
    player.page.wait_for_url(lambda url: "/play" in url)
    assert not player.page.url.startswith(player.url), "the game is the studio's page"
