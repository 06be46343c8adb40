"""A real browser: Debian's chromium, driven by playwright. And what people do with it at the desk and as players.

Whatever a page writes to the console as an error, and whatever it could not load, fails the test at its end.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from e2e_testing.platform_staff import PASSWORD, Operator
from e2e_testing.stack import Stack

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (360, 1280)
THEMES = ("dark", "light")
PATIENCE_MS = 30_000
# As root there is no sandbox; /dev/shm of a container is small.
OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


def chromium() -> str:
    """The program. Skips the test where there is none."""
    named = os.environ.get("CHROMIUM")
    found = named or next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no chromium on this machine: `make test-browser` installs it where apt-get can")
    return found


@contextmanager
def browser_of(program: str) -> Iterator[Browser]:
    """The browser, started."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass(slots=True)
class Visitor:
    """One person with a browser of their own, at one casino."""

    context: BrowserContext
    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    """Errors of the console."""
    expected: list[str] = field(default_factory=list)
    """Parts of complaints that the test provokes."""

    @classmethod
    def at(cls, browser: Browser, stack: Stack, **options: Any) -> "Visitor":
        """A new one. `options` are those of a browser's context."""
        chosen = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **options}
        context = browser.new_context(base_url=stack.casino.base_url, ignore_https_errors=True, **chosen)
        context.set_default_timeout(PATIENCE_MS)
        visitor = cls(context, context.new_page(), stack.casino.base_url)
        visitor.watch(visitor.page)
        return visitor

    def watch(self, page: Page) -> None:
        """Collect what this page complains of."""
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def unexpected(self) -> list[str]:
        """What it complained of, without what the test provokes."""
        return [each for each in self.complaints if not any(part in each for part in self.expected)]

    def go(self, path: str) -> Page:
        """Open a page, which must be there."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        return self.page

    def see(self, name: str) -> str:
        """The text of the element with this `data-test`, when it is there."""
        return self.page.locator(f"[data-test={name}]").first.inner_text()

    def minor(self, name: str = "balance") -> int:
        """The smallest units of the amount with this `data-test`."""
        value = self.page.locator(f"[data-test={name}]").first.get_attribute("data-minor")
        assert value is not None
        return int(value)

    def press(self, name: str) -> None:
        """Click the element with this `data-test`."""
        self.page.locator(f"[data-test={name}]").first.click()


@dataclass(frozen=True, slots=True)
class Voucher:
    """What a slip says."""

    code: str
    pin: str


def log_in_at_desk(visitor: Visitor, username: str) -> None:
    """A member of staff logs in."""
    page = visitor.go("/desk/login")
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    visitor.press("log-in")
    page.wait_for_url("**/desk/*")


def sell(visitor: Visitor, amount: str = "20.00") -> Voucher:
    """Sell a voucher at the desk."""
    page = visitor.go("/desk/vouchers")
    page.fill("[name=amount]", amount)
    visitor.press("issue")
    return Voucher(visitor.see("code"), visitor.see("pin"))


def redeem(visitor: Visitor, voucher: Voucher) -> None:
    """Redeem a voucher and go to the lobby."""
    page = visitor.go("/redeem")
    page.fill("[name=code]", voucher.code)
    page.fill("[name=pin]", voucher.pin)
    visitor.press("redeem")
    visitor.press("to-lobby")
    page.wait_for_url("**/lobby")


def username_of(operator: Operator, role: str) -> str:
    """The login name of a member of the operator's staff."""
    member = {"cashier": operator.cashier, "agent": operator.agent}[role]
    return str(member.get("/staff/me")["staff"]["username"])
