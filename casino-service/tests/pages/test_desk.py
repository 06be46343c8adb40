"""The desk: vouchers sold, printed and made void, players paid, shifts. Rules and rights are those of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from casino_testing.api import Api, Tree
from casino_testing.edge import BASE_URL
from casino_testing.guest import Guest, Seen, redeemers
from casino_testing.staff import PASSWORD, add_member

Come = Callable[[], Awaitable[Guest]]


async def sell(cashier: Guest, amount: str = "20.00", count: str = "1") -> Seen:
    return await cashier.send(await cashier.see("/desk/vouchers"), "/desk/vouchers", amount=amount, count=count)


async def redeemed(guest: Guest, sold: Seen) -> str:
    """Redeems a voucher; returns the login code."""
    page = await guest.see("/redeem")
    page = await guest.send(page, "/redeem", code=sold.shown("code"), pin=sold.shown("pin"))
    assert page.status == 200, page.text
    return page.shown("login-code")


async def test_a_form_sent_twice_sells_one_voucher_and_shows_it_again(cashier: Guest, api: Api) -> None:
    form = (await cashier.see("/desk/vouchers")).form("/desk/vouchers") | {"amount": "20.00", "count": "1"}
    first, second = await asyncio.gather(*(cashier.post("/desk/vouchers", form) for _ in range(2)))
    codes = {text.split('data-test="code">')[1][:19] for text in (first.text, second.text)}
    assert len(codes) == 1
    assert len(api.tenant.rows("vouchers")) == 1


async def test_a_batch_is_sold_whole(cashier: Guest, api: Api) -> None:
    page = await sell(cashier, "1.50", "12")
    assert page.text.count("/slip") == 12
    assert sum(row["amount_minor"] for row in api.tenant.rows("vouchers")) == 1_800


@pytest.mark.parametrize(
    ("amount", "count", "says"),
    [
        ("", "1", "write an amount such as 25.00"),
        ("1.234", "1", "write an amount such as 25.00"),
        ("1,5", "1", "write an amount such as 25.00"),
        ("-1", "1", "write an amount such as 25.00"),
        ("0", "1", "The amount is no integer from 1"),
        ("1", "x", "write a whole number from 1 to 500"),
        ("1", "501", "A field is missing or has a wrong form"),
        ("9999999", "1", "The agent&#39;s float does not hold enough"),
    ],
)
async def test_what_is_wrong_is_said_beside_the_form_and_keeps_what_was_typed(
    cashier: Guest, api: Api, amount: str, count: str, says: str
) -> None:
    page = await sell(cashier, amount, count)
    assert page.status in (400, 409)
    assert says in page.text
    assert f'value="{amount}"' in page.text
    assert api.tenant.rows("vouchers") == []


async def test_a_slip_is_printed_once(cashier: Guest) -> None:
    sold = await sell(cashier)
    (action,) = (each for each in sold.forms() if each.endswith("/slip"))
    slip = await cashier.send(sold, action)
    assert (slip.status, "<svg" in slip.text, sold.shown("code") in slip.text) == (200, True, True)
    again = await cashier.send(sold, action)
    assert (again.status, sold.shown("code") in again.text) == (404, False)


async def test_an_agent_makes_a_new_voucher_void_and_a_cashier_cannot(
    cashier: Guest, guest: Guest, api: Api, tree: Tree
) -> None:
    await sell(cashier)
    (voucher,) = api.tenant.rows("vouchers")
    path = f"/desk/vouchers/{voucher['voucher_id']}"
    assert f"{path}/void" not in (await cashier.see(path)).text
    forged = (await cashier.see(path)).form("/desk/vouchers")
    assert (await cashier.post(f"{path}/void", forged)).status_code == 403
    add_member(api, "ada", "agent", tree.agent_id)
    await guest.log_in("ada", PASSWORD)
    page = await guest.send(await guest.see(path), f"{path}/void")
    assert (page.status, 'data-status="VOID"' in page.text) == (200, True)
    assert page.minor("float") == 1_000_000
    (row,) = (row for row in api.audit() if "void" in row["action"] and row["outcome"] == "DONE")
    assert row["actor_name"] == "ada"


async def test_a_player_is_cashed_out_and_the_page_says_what_to_pay(cashier: Guest, guest: Guest, api: Api) -> None:
    await redeemed(guest, await sell(cashier, "20.00"))
    (player_id,) = redeemers(api.tenant)
    path = f"/desk/players/{player_id}"
    page = await cashier.send(await cashier.see(path), f"{path}/deposit", amount="5.50")
    assert (page.status, page.minor("balance")) == (200, 2_550)
    paid = await cashier.post(f"{path}/withdraw", page.form(f"{path}/deposit") | {"amount": "0.50"})
    assert paid.status_code == 200
    page = await cashier.send(await cashier.see(path), f"{path}/cashout")
    assert (page.minor("pay-out"), page.minor("balance")) == (2_500, 0)
    assert 'data-status="CLOSED"' in page.text
    again = await cashier.see(path)
    assert f"{path}/cashout" not in again.forms()
    assert (await guest.see("/lobby")).status == 303
    assert api.tenant.differences() == []


async def test_the_desk_of_another_tenant_sees_nothing(cashier: Guest, guest: Guest, come: Come, api: Api) -> None:
    await redeemed(guest, await sell(cashier))
    (voucher,), (player_id,) = api.tenant.rows("vouchers"), redeemers(api.tenant)
    other = api.tree()
    add_member(api, "zoe", "agent", other.agent_id)
    stranger = await come()
    await stranger.log_in("zoe", PASSWORD)
    for path in (f"/desk/vouchers/{voucher['voucher_id']}", f"/desk/players/{player_id}"):
        assert (await stranger.see(path)).status == 404
    page = await stranger.see("/desk/players")
    assert player_id not in page.text
    form = page.form("/desk/logout")
    answer = await stranger.post(f"/desk/players/{player_id}/cashout", form)
    assert answer.status_code == 404


@pytest.mark.parametrize("odd", ["%2e%2e", "%2f", "%00", "%C3%BC", "a%20b", "%3Fa", "{}"])
async def test_an_id_that_nothing_has_is_404(cashier: Guest, odd: str) -> None:
    form = (await cashier.see("/desk/players")).form("/desk/logout")
    for path in (f"/desk/players/{odd}", f"/desk/vouchers/{odd}"):
        assert (await cashier.client.get(httpx.URL(f"{BASE_URL}{path}"))).status_code in (404, 200), path
    for path in (f"/desk/players/{odd}/cashout", f"/desk/vouchers/{odd}/void", f"/desk/vouchers/{odd}/slip"):
        assert (await cashier.post(path, form)).status_code in (403, 404), path


async def test_an_owner_is_told_that_the_desk_is_for_staff_of_tenants(guest: Guest, api: Api) -> None:
    add_member(api, "root", "owner")
    await guest.log_in("root", PASSWORD)
    page = await guest.see("/desk")
    assert (page.status, "an owner belongs to none" in page.text) == (403, True)


async def test_a_shift_is_opened_and_closed_with_its_difference(cashier: Guest, guest: Guest) -> None:
    page = await cashier.send(await cashier.see("/desk/shifts"), "/desk/shifts/open", amount="100.00")
    assert "Close the shift" in page.text
    sold = await sell(cashier, "20.00")
    await redeemed(guest, sold)
    page = await cashier.send(await cashier.see("/desk/shifts"), "/desk/shifts/close", amount="119.00")
    assert (page.status, "Open a shift" in page.text) == (200, True)
    assert "\u22121.00" in page.text, "one unit is missing"


async def test_a_list_has_pages_with_their_place_in_the_address(cashier: Guest) -> None:
    await sell(cashier, "1.00", "30")
    first = await cashier.see("/desk/vouchers")
    assert first.text.count('data-test="voucher-row"') == 25
    next_path = first.text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = await cashier.see(next_path)
    assert second.text.count('data-test="voucher-row"') == 5
    assert 'href="/desk/vouchers">Newest' in second.text


@pytest.mark.parametrize(
    "case",
    [
        ("USD", "1,234.5", 123_450, "1,234.50"),
        ("JPY", "1,234", 1_234, "1,234"),
        ("FUN", "0.01", 1, "0.01"),
        ("BTC", "0.00000123", 123, "0.00000123"),
    ],
    ids=lambda case: case[0],
)
async def test_amounts_have_the_decimals_of_their_currency(
    guest: Guest, come: Come, api: Api, case: tuple[str, str, int, str]
) -> None:
    currency, typed, minor, shown = case
    owner = api.owner()
    body = {"type": "OPERATOR", "name": "o", "currency": currency}
    operator = (await api.post("/admin/tenants", body, token=owner.token)).json()["tenant"]["tenantId"]
    body = {"type": "AGENT", "name": "a", "parentId": operator}
    agent = (await api.post("/admin/tenants", body, token=owner.token)).json()["tenant"]["tenantId"]
    for tenant_id in (operator, agent):
        body = {"amountMinor": 1_000_000, "reason": "opening"}
        assert (await api.post(f"/admin/tenants/{tenant_id}/fund", body, token=owner.token)).status_code == 200
    add_member(api, "cur", "cashier", agent)
    cashier = await come()
    await cashier.log_in("cur", PASSWORD)
    sold = await sell(cashier, typed)
    assert sold.status == 200, sold.text
    slip = await cashier.send(sold, next(each for each in sold.forms() if each.endswith("/slip")))
    assert f"Amount: {shown} {currency}" in slip.text
    await redeemed(guest, sold)
    lobby = await guest.see("/lobby")
    assert lobby.minor("balance") == minor
    assert f'<span class="digits">{shown}</span><span class="unit">{currency}</span>' in lobby.text
