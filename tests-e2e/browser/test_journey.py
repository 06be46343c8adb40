"""A voucher's way: sold by a cashier, redeemed by a player, cashed out. In a real browser, against the real books."""

from collections.abc import Callable

from e2e_testing.browser import Visitor, redeem, sell
from e2e_testing.database import Database


def test_a_voucher_is_sold_redeemed_and_cashed_out(
    cashier: Visitor, visit: Callable[..., Visitor], database: Database
) -> None:
    float_before = cashier.minor("float")
    voucher = sell(cashier, "20.00")
    player = visit()
    redeem(player, voucher)
    assert player.minor() == 2_000
    assert player.see("balance").replace("\n", " ").startswith("20.00")

    page = cashier.go("/desk/players")
    page.locator("[data-test=player-row] a").first.click()
    assert cashier.minor() == 2_000
    cashier.press("cash-out")
    assert cashier.minor("pay-out") == 2_000
    assert page.locator("[data-test=player]").get_attribute("data-status") == "CLOSED"
    assert cashier.minor("float") == float_before

    player.page.goto("/lobby")
    assert player.page.url.endswith("/login"), "a closed account is logged out"
    (row,) = database.rows(
        "select balance_minor, player.status from casino.wallets"
        " join casino.players as player using (ledger_id, wallet_id)"
        " join casino.vouchers using (ledger_id, voucher_id) where amount_minor = 2000 order by issued_at desc limit 1"
    )
    assert (row["balance_minor"], row["status"]) == (0, "CLOSED")
