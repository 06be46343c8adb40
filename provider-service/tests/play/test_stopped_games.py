"""`provider stop` and `provider resume`: a stopped game takes no new round, and its page says why."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from click.testing import CliRunner, Result

from provider.offers.commands import resume, stop
from provider_testing.fake_wallet import FakeWallet
from provider_testing.playing import browser, open_demo, open_page
from provider_testing.service import Running, serving
from provider_testing.spinning import code_of, fresh_spin
from shared_service_testing.waiting import until


@pytest.fixture
async def provider(database_url: str, wallet: FakeWallet) -> AsyncIterator[Running]:
    async with serving(database_url, wallet) as running:
        yield running


def commanded(owner_url: str, command: object, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, env={"PROVIDER_OWNER_DATABASE_URL": owner_url})  # type: ignore[arg-type]


async def enabled(provider: Running, game: str) -> bool:
    games = (await provider.client.get("/v1/games", auth=None)).json()["games"]
    return next(bool(each["enabled"]) for each in games if each["gameId"] == game)


async def test_a_stopped_game_takes_no_new_round_until_it_is_resumed(
    provider: Running, owner_url: str, wallet: FakeWallet
) -> None:
    page, other, demo = await open_page(provider), await open_page(provider, "SLOTS_002"), await open_demo(provider)
    played = await page.spin("one")
    ended = commanded(owner_url, stop, "SLOTS_001", "Back <b>at noon.")
    assert ended.exit_code == 0, ended.output

    async def is_stopped() -> bool:
        return not await enabled(provider, "SLOTS_001")

    await until(is_stopped)
    refused = await page.spin("two")
    assert code_of(refused) == (423, "play_stopped")
    assert (refused.json()["error"], refused.json()["playerMessage"]) == ("Back <b>at noon.",) * 2
    assert code_of(await demo.spin()) == (423, "play_stopped")
    signed = await provider.client.post("/provider/spin", json=await provider.launch() | fresh_spin())
    assert code_of(signed) == (423, "play_stopped")
    assert (await page.spin("one")).content == played.content, "a repetition comes before every gate"
    assert (await page.get("rounds")).status_code == 200
    maintenance = await browser(provider).get("/play/JAQPOT/SLOTS_001")
    assert (maintenance.status_code, "Back &lt;b&gt;at noon." in maintenance.text) == (423, True)
    assert (await browser(provider).get("/play/JAQPOT/SLOTS_002")).status_code == 200
    assert (await other.spin()).status_code == 200
    assert commanded(owner_url, resume, "SLOTS_001").output == "SLOTS_001 goes on.\n"
    await until(lambda: enabled(provider, "SLOTS_001"))
    assert (await page.spin("two")).status_code == 200
    assert "was not stopped" in commanded(owner_url, resume, "SLOTS_001").output


@pytest.mark.parametrize(
    "arguments", [("NOTHING", "x"), ("SLOTS_001", ""), ("SLOTS_001", "x" * 257), ("SLOTS_001", "a\nb"), ("SLOTS_001",)]
)
def test_a_stop_that_cannot_be_is_refused(owner_url: str, arguments: tuple[str, ...]) -> None:
    assert commanded(owner_url, stop, *arguments).exit_code != 0
