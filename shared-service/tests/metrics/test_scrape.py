"""The metrics page is rendered at most once a second, and concurrent scrapes share it."""

from __future__ import annotations

import asyncio

import pytest

from shared_service.metrics.scrape import FRESH_SECONDS, Scrape


class Pages:
    """Renders numbered pages, each when the test allows it."""

    def __init__(self) -> None:
        self.made = 0
        self.now = 0.0
        self.go = asyncio.Event()

    async def make(self) -> bytes:
        self.made += 1
        number = self.made
        await self.go.wait()
        return b"%d" % number

    def monotonic(self) -> float:
        return self.now


async def test_all_who_ask_while_a_page_is_made_share_it() -> None:
    pages = Pages()
    scrape = Scrape(pages.make, monotonic=pages.monotonic)
    asking = [asyncio.create_task(scrape.page()) for _ in range(50)]
    await asyncio.sleep(0)
    pages.go.set()
    assert await asyncio.gather(*asking) == [b"1"] * 50


async def test_the_page_is_made_anew_after_a_second() -> None:
    pages = Pages()
    pages.go.set()
    scrape = Scrape(pages.make, monotonic=pages.monotonic)
    assert await scrape.page() == b"1"
    pages.now = FRESH_SECONDS * 0.99
    assert await scrape.page() == b"1"
    pages.now = FRESH_SECONDS
    assert await scrape.page() == b"2"


async def test_a_page_that_could_not_be_made_is_tried_again_by_the_next() -> None:
    failed = False

    async def make() -> bytes:
        nonlocal failed
        if not failed:
            failed = True
            raise LookupError
        return b"page"

    scrape = Scrape(make)
    with pytest.raises(LookupError):
        await scrape.page()
    assert await scrape.page() == b"page"
