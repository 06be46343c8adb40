"""Cookies, forms and logins: what a browser is given, and what another site's page cannot do with it."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest

from casino.pages.sessions import Cookies
from casino.staff.otp import code_of
from casino_testing.api import Api, Tree
from casino_testing.guest import Guest, Seen, redeemers
from casino_testing.staff import PASSWORD, add_member

COOKIE = re.compile(r"(casino-[a-z-]+|__Host-[a-z-]+)=")


def cookies(page: Seen) -> dict[str, str]:
    """The set-cookie lines of an answer, by name."""
    return {COOKIE.match(line)[1]: line for line in page.headers.get_list("set-cookie")}  # type: ignore[index]


async def sold(cashier: Guest, amount: str = "20.00") -> dict[str, str]:
    page = await cashier.send(await cashier.see("/desk/vouchers"), "/desk/vouchers", amount=amount, count="1")
    assert page.status == 200, page.text
    return {"code": page.shown("code"), "pin": page.shown("pin")}


async def test_a_players_cookie_is_lax_and_staffs_are_strict(cashier: Guest, guest: Guest, api: Api) -> None:
    add_member(api, "lee", "cashier", api.tenant.tenant_id)
    voucher = await sold(cashier)
    page = await guest.see("/redeem")
    redeemed = await guest.client.post("/redeem", data=page.form("/redeem") | voucher)
    (line,) = redeemed.headers.get_list("set-cookie")
    assert line.startswith("casino-player=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(line.split("; "))
    page = await guest.log_in("lee", PASSWORD)
    for name in ("casino-desk", "casino-desk-refresh"):
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookies(page)[name].split("; "))


def test_outside_demo_mode_cookies_are_secure_and_of_this_host_alone() -> None:
    kept, deleted = (value.decode() for _, value in Cookies(secure=True).headers({"player": "x", "desk": None}))
    assert kept.startswith("__Host-player=x; ")
    assert {"Secure", "Path=/", "HttpOnly"} <= set(kept.split("; "))
    assert "Domain" not in kept
    assert "Max-Age=0" in deleted


@pytest.mark.parametrize("path", ["/lobby", "/history", "/limits", "/state"])
async def test_a_players_page_without_a_login_leads_to_it(guest: Guest, path: str) -> None:
    page = await guest.see(path)
    assert (page.status, page.headers["location"]) == (303, "/login")


@pytest.mark.parametrize("path", ["/desk", "/desk/vouchers", "/desk/players/x", "/desk/shifts"])
async def test_a_page_of_the_desk_without_a_login_leads_to_it(guest: Guest, path: str) -> None:
    page = await guest.see(path)
    assert (page.status, page.headers["location"]) == (303, "/desk/login")


@pytest.mark.parametrize("path", ["/desk/nothing", "/assets/tokens.0000000000000000.css", "/lobby/", "/Redeem"])
async def test_a_page_that_is_not_there_is_404(guest: Guest, path: str) -> None:
    assert (await guest.see(path)).status == 404


async def test_the_cookie_of_one_kind_opens_no_page_of_the_other(cashier: Guest, guest: Guest) -> None:
    assert (await cashier.see("/lobby")).status == 303
    page = await guest.see("/redeem")
    await guest.client.post("/redeem", data=page.form("/redeem") | await sold(cashier))
    assert (await guest.see("/lobby")).status == 200
    token = guest.client.cookies["casino-player"]
    guest.client.cookies.set("casino-desk", token)
    assert (await guest.see("/desk/players")).status == 303


async def test_a_form_without_the_sessions_token_does_nothing(cashier: Guest, guest: Guest, api: Api) -> None:
    form = (await cashier.see("/desk/vouchers")).form("/desk/vouchers") | {"amount": "20.00", "count": "1"}
    others = (await guest.see("/redeem")).form("/redeem")
    vouchers = len(api.tenant.rows("vouchers"))
    for token in ("", "x" * 43, others["form_token"]):
        answer = await cashier.post("/desk/vouchers", form | {"form_token": token})
        assert (answer.status_code, 'data-code="FORM_EXPIRED"' in answer.text) == (403, True)
    for site in ("cross-site", "same-site"):
        answer = await cashier.post("/desk/vouchers", form, **{"sec-fetch-site": site})
        assert answer.status_code == 403
    assert len(api.tenant.rows("vouchers")) == vouchers
    answer = await cashier.post("/desk/vouchers", form, **{"sec-fetch-site": "same-origin"})
    assert answer.status_code == 200
    assert len(api.tenant.rows("vouchers")) == vouchers + 1


async def test_every_form_of_every_page_has_a_token(cashier: Guest, guest: Guest, api: Api, tree: Tree) -> None:
    voucher = await sold(cashier)
    pages = [await guest.see(path) for path in ("/redeem", "/login", "/desk/login")]
    await guest.client.post("/redeem", data=pages[0].form("/redeem") | voucher)
    pages += [await guest.see(path) for path in ("/lobby", "/history", "/limits")]
    (player_id,) = redeemers(api.tenant)
    paths = ("/desk/vouchers", "/desk/players", f"/desk/players/{player_id}", "/desk/shifts")
    pages += [await cashier.see(path) for path in paths]
    for page in pages:
        assert page.status == 200
        for action in page.forms():
            assert len(page.form(action)["form_token"]) == 43, action


async def test_expired_tokens_of_staff_are_refreshed_and_a_used_one_ends_the_login(cashier: Guest, api: Api) -> None:
    old = cashier.client.cookies["casino-desk-refresh"]
    del cashier.client.cookies["casino-desk"]
    page = await cashier.see("/desk/vouchers")
    assert page.status == 200
    assert {"casino-desk", "casino-desk-refresh"} == set(cookies(page))
    assert cashier.client.cookies["casino-desk-refresh"] != old
    api.tenant.sql(
        "update casino.staff_families set births = array(select x - interval '1 hour' from unnest(births) x)"
    )
    cashier.client.cookies.clear()
    cashier.client.cookies.set("casino-desk-refresh", old)
    page = await cashier.see("/desk/vouchers")
    assert (page.status, page.headers["location"]) == (303, "/desk/login")


@pytest.mark.parametrize("path", ["/desk/vouchers/nobodys", "/desk/players/nobodys", "/desk/vouchers?cursor=x"])
async def test_a_page_that_is_refused_keeps_the_tokens_that_were_refreshed_for_it(
    cashier: Guest, api: Api, path: str
) -> None:
    old = cashier.client.cookies["casino-desk-refresh"]
    del cashier.client.cookies["casino-desk"]
    page = await cashier.see(path)
    assert page.status in (400, 404)
    assert cashier.client.cookies["casino-desk-refresh"] != old
    api.tenant.sql(
        "update casino.staff_families set births = array(select x - interval '1 hour' from unnest(births) x)"
    )
    assert (await cashier.see("/desk/vouchers")).status == 200, "the login goes on"


async def test_an_api_key_opens_no_page(cashier: Guest, api: Api) -> None:
    asked = {"name": "till", "scopes": ["players.read"], "endsAt": f"{datetime.now(UTC) + timedelta(days=1):%FT%TZ}"}
    made = await api.post("/admin/api-keys", asked, token=api.staff("operator", api.tenant.tenant_id).token)
    assert made.status_code == 201, made.text
    for name in ("casino-desk", "casino-desk-refresh"):
        del cashier.client.cookies[name]
    cashier.client.cookies.set("casino-desk", made.json()["apiKey"]["key"])
    page = await cashier.see("/desk/players")
    assert (page.status, page.headers["location"]) == (303, "/desk/login")


async def test_a_demotion_holds_at_the_next_page(cashier: Guest, api: Api) -> None:
    api.tenant.sql("update casino.staff set is_active = false where username = 'kim'")
    assert (await cashier.see("/desk/vouchers")).status == 303


async def test_logging_out_ends_the_login_and_its_cookies(cashier: Guest, guest: Guest) -> None:
    kept = dict(cashier.client.cookies)
    page = await cashier.send(await cashier.see("/desk/vouchers"), "/desk/logout")
    assert (page.status, "Log in at the desk" in page.text) == (200, True)
    for name, value in kept.items():
        guest.client.cookies.set(name, value)
    assert (await guest.see("/desk/vouchers")).status == 303


async def test_a_one_time_password_is_asked_for_after_the_right_password(guest: Guest, api: Api, tree: Tree) -> None:
    add_member(api, "noa", "agent", tree.agent_id)
    token = (await api.post("/staff/login", {"username": "noa", "password": PASSWORD})).json()["token"]
    enrolled = (await api.post("/staff/otp/enrol", {}, token=token)).json()
    api.tenant.sql("update casino.staff set has_otp = true where username = 'noa'")
    page = await guest.see("/desk/login")
    form = page.form("/desk/login") | {"username": "noa"}
    wrong = await guest.post("/desk/login", form | {"password": "no"})
    assert 'name="otp"' not in wrong.text
    asked = await guest.post("/desk/login", form | {"password": PASSWORD})
    assert (asked.status_code, 'name="otp"' in asked.text) == (401, True)
    answer = await guest.post("/desk/login", form | {"password": PASSWORD, "otp": enrolled["recoveryCodes"][0]})
    assert answer.status_code == 303, answer.text


async def test_who_has_to_enrol_for_one_time_passwords_is_led_to_it(guest: Guest, api: Api, tree: Tree) -> None:
    add_member(api, "eve", "cashier", tree.agent_id)
    await guest.log_in("eve", PASSWORD)
    assert (
        await api.call("PUT", "/admin/otp-roles", {"roles": ["cashier"]}, token=tree.owner.token)
    ).status_code == 200
    page = await guest.see("/desk/vouchers")
    assert (page.status, page.headers["location"]) == (303, "/desk/otp")
    page = await guest.send(await guest.see("/desk/otp"), "/desk/otp/enrol")
    assert (page.status, "<svg" in page.text, page.text.count('<li class="mono">')) == (200, True, 10)
    wrong = await guest.send(page, "/desk/otp/confirm", otp="000000")
    assert (wrong.status, "Turn on" in wrong.text) == (401, True)
    secret = base64.b32decode(page.shown("secret"))
    ((now,),) = (row.values() for row in api.tenant.sql("select extract(epoch from casino.clock())::bigint / 30"))
    page = await guest.send(wrong, "/desk/otp/confirm", otp=code_of(secret, now))
    assert (page.status, "One-time passwords are on." in page.text) == (200, True)
    assert (await guest.see("/desk/vouchers")).status == 200


async def test_a_page_has_a_strict_policy_and_is_not_kept(guest: Guest, cashier: Guest) -> None:
    for page in (await guest.see("/"), await guest.see("/desk/nothing/x"), await cashier.see("/desk/vouchers")):
        if page.status != 404:
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "'unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
            assert not re.search(r"<script(?![^>]* src=)|\son[a-z]+=|style=", page.text), "nothing inline"


async def test_assets_are_kept_for_ever_and_every_page_names_them_by_their_hash(guest: Guest) -> None:
    page = await guest.see("/redeem")
    paths = set(re.findall(r'"(/assets/[^"]+)"', page.text))
    assert len(paths) >= 5
    for path in paths:
        found = await guest.see(path)
        assert (found.status, found.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
        for module in re.findall(r'from "\./([^"]+)"', found.text):
            assert (await guest.see(f"/assets/{module}")).status == 200, f"{path} imports {module}"
