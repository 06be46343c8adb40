"""A player of the operator's platform: an access token, and spins that are asked for until their outcome is known."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from e2e_testing.game_session import new_id
from e2e_testing.signing_client import TIMEOUT_SECONDS
from e2e_testing.stack import Stack

TOKEN_SECRET = "casino-access-token-secret"  # the published demo value
TOKEN_SECONDS = 3_600
STAKE_MINOR = 1_000
PATIENCE_SECONDS = 90.0
PAUSE_SECONDS = 0.1
OVER_AGAIN = {409, 429, 502, 503}
"""Answers after which the same id is asked for again."""


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def token_of(player_id: str, *, secret: str = TOKEN_SECRET) -> str:
    """A player's access token, as the casino gives it out."""
    now = int(time.time())
    claims = {"aud": "casino-player", "sub": player_id, "iat": now, "exp": now + TOKEN_SECONDS}
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    mac = hmac.digest(secret.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@dataclass(slots=True)
class PlatformPlayer:
    """`url` is the casino's; a test may lead the player to another process of it."""

    url: str
    player_id: str
    token: str
    verify: Any = False

    @classmethod
    def at(cls, stack: Stack, *, balance_minor: int = 1_000_000) -> "PlatformPlayer":
        """A new player of the demo tenant."""
        player_id = stack.open_player(balance_minor)
        return cls(stack.casino.base_url, player_id, token_of(player_id), stack.casino.verify)

    def call(self, method: str, path: str, content: object = None, **headers: str) -> httpx.Response:
        """One call of `/api/v1`."""
        return httpx.request(
            method, f"{self.url}/api/v1{path}", json=content, verify=self.verify, trust_env=False,
            timeout=TIMEOUT_SECONDS, headers={"authorization": f"Bearer {self.token}", **headers},
        )  # fmt: skip

    def ask(self, spin_id: str, *, stake_minor: int = STAKE_MINOR, game: str = "SLOTS_001") -> httpx.Response:
        """Ask for a spin once."""
        return self.call("POST", "/bet/spin", {"stakeMinor": stake_minor, "gameCode": game, "spinId": spin_id})

    def spin(self, spin_id: str | None = None, *, stake_minor: int = STAKE_MINOR) -> dict[str, Any]:
        """Ask for a spin until its outcome is known, as a game page does; the `result`."""
        spin_id, deadline = spin_id or new_id(), time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self.ask(spin_id, stake_minor=stake_minor)
            except httpx.HTTPError:
                answer = httpx.Response(503)
            if answer.status_code not in OVER_AGAIN:
                break
            assert time.monotonic() < deadline, f"the outcome never became known: {answer.text}"
            time.sleep(PAUSE_SECONDS)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result
