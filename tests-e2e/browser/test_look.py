"""How every page looks: in both themes and two widths nothing scrolls sideways, and axe finds nothing serious.

SCREENSHOTS=folder writes a picture of each page there.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from e2e_testing.browser import THEMES, WIDTHS, Visitor, Voucher, log_in_at_desk, redeem, sell, username_of
from e2e_testing.platform_staff import Operator
from shared_service_testing.sampling import sampled

ROOT = Path(__file__).parents[2]
AXE = ROOT / ".state" / "axe" / "axe.min.js"
GRAVE = ("serious", "critical")
HEIGHT = 800
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
RUN_AXE = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"

StartVisitor = Callable[..., Visitor]


def shown_pages(visitor: Visitor, cashier: Visitor, operator: Operator) -> Iterator[tuple[str, Visitor]]:
    """Walks through every page; yields its name and who sees it, when it is there."""
    for name, path in (("welcome", "/"), ("redeem", "/redeem"), ("login", "/login"), ("desk-login", "/desk/login")):
        visitor.go(path)
        yield name, visitor
    visitor.page.goto("/redeem")
    visitor.page.fill("[name=code]", "0000-0000-0000-0000")
    visitor.page.fill("[name=pin]", "000000")
    visitor.expected.append("400")
    visitor.press("redeem")
    visitor.page.wait_for_selector("[data-test=message]")
    yield "redeem-refused", visitor
    cashier.go("/desk/otp")
    yield "desk-otp", cashier
    page = cashier.go("/desk/shifts")
    if page.locator("[data-test=open-shift]").count():  # the cashier is the same in each theme and width
        yield "desk-shifts-empty", cashier
        page.fill("[name=amount]", "500.00")
        cashier.press("open-shift")
        page.wait_for_selector("[data-test=close-shift]")
    yield "desk-shifts", cashier
    cashier.go("/desk/vouchers")
    yield "desk-vouchers", cashier
    cashier.page.fill("[name=amount]", "5.00")
    cashier.page.fill("[name=count]", "3")
    cashier.press("issue")
    cashier.page.wait_for_selector("[data-test=issued]")
    yield "desk-batch", cashier
    voucher = sell(cashier, "1,250.00")
    yield "desk-issued", cashier
    cashier.press("print")
    cashier.page.wait_for_selector("[data-test=slip]")
    yield "desk-slip", cashier
    yield from player_pages(visitor, voucher)
    cashier.go("/desk/vouchers")
    cashier.page.locator("[data-test=voucher-row] a").first.click()
    cashier.page.wait_for_selector("[data-test=voucher]")
    yield "desk-voucher", cashier
    cashier.go("/desk/players")
    cashier.page.locator("[data-test=player-row] a").first.click()
    cashier.page.wait_for_selector("[data-test=player]")
    yield "desk-player", cashier
    cashier.press("cash-out")
    cashier.page.wait_for_selector("[data-test=paid-out]")
    yield "desk-paid-out", cashier


def player_pages(visitor: Visitor, voucher: Voucher) -> Iterator[tuple[str, Visitor]]:
    """A player's own pages."""
    redeem(visitor, voucher)
    yield "lobby", visitor
    visitor.go("/history")
    yield "history", visitor
    visitor.go("/limits")
    yield "limits-empty", visitor
    visitor.page.fill("[name=value]", "100.00")
    visitor.press("set-limit")
    visitor.page.wait_for_selector("[data-test=limit]")
    yield "limits", visitor


def grave_faults(visitor: Visitor) -> list[str]:
    """What axe finds on the page that is shown."""
    if not AXE.exists():
        return []
    visitor.page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = visitor.page.evaluate(RUN_AXE)
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


def faults_of(visitor: Visitor, cashier: Visitor, operator: Operator, *, name: str) -> list[str]:
    """What is wrong with the pages; `name` is a part of the pictures' names."""
    log_in_at_desk(cashier, username_of(operator, "cashier"))
    faults: list[str] = []
    for page, who in shown_pages(visitor, cashier, operator):
        if folder := os.environ.get("SCREENSHOTS"):
            who.page.screenshot(path=f"{folder}/{page}-{name}.png", full_page=True)
        if (wider := who.page.evaluate(OVERFLOW)) > 0:
            faults.append(f"{page}: {wider} px wider than the screen")
        faults += [f"{page}: {each}" for each in grave_faults(who)]
    return faults


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_and_can_be_used_by_everybody(
    visit: StartVisitor, operator: Operator, width: int, theme: str
) -> None:
    options = {"viewport": {"width": width, "height": HEIGHT}, "color_scheme": theme, "bypass_csp": True}
    faults = faults_of(visit(**options), visit(**options), operator, name=f"{width}-{theme}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("width", sampled(WIDTHS, 1))
def test_text_of_twice_the_size_fits(visit: StartVisitor, large_print: Browser, operator: Operator, width: int) -> None:
    """The browser's own setting: sizes are in rem, and so are the widths at which the layout changes."""
    options = {"viewport": {"width": width, "height": HEIGHT}, "color_scheme": "dark", "bypass_csp": True}
    visitor, cashier = (visit(of=large_print, **options) for _ in range(2))
    assert visitor.go("/").evaluate("() => getComputedStyle(document.documentElement).fontSize") == "32px"
    faults = faults_of(visitor, cashier, operator, name=f"{width}-large")
    assert not faults, "\n".join(faults)


def test_axe_is_there() -> None:
    if not AXE.exists():
        pytest.skip(
            "no axe-core: `make test-browser` fetches it where npm can; faults of accessibility are not looked for"
        )
