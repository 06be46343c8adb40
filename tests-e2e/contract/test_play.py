"""Protocol section 8: a player's page, from the launch to the casino's ledger, with nothing but what a browser has."""

from __future__ import annotations

import re
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest

from e2e_testing.database import Database
from e2e_testing.game_session import new_id
from e2e_testing.signing_client import TIMEOUT_SECONDS
from e2e_testing.stack import Stack

BOOKED = """
    select kind, amount_minor, state from casino.transactions where round_id = %(round)s order by kind desc
"""


class Page:
    """A page of the studio, as the browser has it."""

    def __init__(self, stack: Stack, url: str) -> None:
        self.url = urlsplit(url)
        self.client = httpx.Client(
            base_url=stack.provider.base_url, verify=stack.provider.verify, timeout=TIMEOUT_SECONDS, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def start(self, game: str) -> httpx.Response:
        """Trade the code in the fragment."""
        code = self.url.fragment.removeprefix("code=")
        answer = self.client.post("/v1/play/start", json={"code": code, "gameId": game})
        if answer.is_success:
            self.client.headers["authorization"] = f"Bearer {answer.json()['playToken']}"
        return answer

    def spin(self, game: str, **asked: Any) -> httpx.Response:
        """Ask for a spin."""
        content = {"spinId": new_id(), "stake": 1000} | asked
        return self.client.post(f"/v1/play/slots/{game}/spin", json=content)


@pytest.mark.parametrize(("game_id", "game"), [("1", "SLOTS_001"), ("3", "SLOTS_002")])
def test_a_launched_page_plays_its_game_on_the_casinos_ledger(
    stack: Stack, database: Database, game_id: str, game: str
) -> None:
    player = stack.open_player()
    launched = stack.as_player("launchGame", {"userId": player, "gameId": game_id}).must_be_ok().content
    with Page(stack, launched["launchUrl"]) as page:
        assert page.url.path.endswith(f"/play/JAQPOT/{game}")
        assert re.fullmatch(r"code=[0-9A-Za-z_-]{43}", page.url.fragment)
        assert launched["sessionToken"] not in launched["launchUrl"]
        started = page.start(game)
        assert started.status_code == 200, started.text
        state = started.json()["state"]
        assert (state["gameId"], state["balance"], state["currency"]) == (game, launched["balance"], "USD")
        said = page.spin(game, spinId="one").json()
        assert int(said["balance"]) == int(state["balance"]) - 1000 + said["win"]
        assert said["version"] > state["version"]
        assert page.spin(game, spinId="one").json() == said
        assert database.rows(BOOKED, round=said["roundId"]) == [
            {"kind": "debit", "amount_minor": 1000, "state": "committed"},
            {"kind": "credit", "amount_minor": said["win"], "state": "committed"},
        ]
        now = page.client.get("/v1/play/state").json()
        assert (now["balance"], now["version"], now["round"]["roundId"]) == (
            said["balance"],
            said["version"],
            said["roundId"],
        )
    with Page(stack, launched["launchUrl"]) as late:
        again = late.start(game)
    assert (again.status_code, again.json()["code"]) == (401, "launch_code_invalid")
