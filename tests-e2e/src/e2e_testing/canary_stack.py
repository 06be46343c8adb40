"""A stack whose every secret is a canary, and requests that carry more of them, for test_canary_secrets.py."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from e2e_testing.canaries import Canaries
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.service_process import COMMAND_SECONDS, full_environment
from e2e_testing.signing_client import HEADER_PATTERN, Signed
from e2e_testing.stack import TENANT, Stack
from e2e_testing.wallet_proxy import WalletProxy
from shared_service_testing.waiting import wait_until

LIFE_SECONDS = 3600
END_OF_A_KEY = "2030-01-01T00:00:00Z"


def access_token(secret: str, player_id: str) -> str:
    """A player's access token: HS256, as the operator's login would give it out."""

    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    now = int(time.time())
    claims = {"sub": player_id, "aud": "casino-player", "iat": now, "exp": now + LIFE_SECONDS, "jti": new_id()}
    signed = ".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


@dataclass(slots=True)
class CanaryStack:
    """Canaries for all secrets, at debug level; only the provider is in demo mode, which simulated rounds need.

    `proxy` is in front of the casino, and `launch_proxy` in front of the provider.
    """

    stack: Stack
    proxy: WalletProxy
    launch_proxy: WalletProxy
    canaries: Canaries
    log_dir: Path
    token_secret: str
    errors: list[str] = field(default_factory=list)
    refused_ids: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, url: str, **options: object) -> httpx.Response:
        """Any request, under an id of its own; what an error answers is kept, and that it was refused."""
        headers = {"user-agent": f"browser/{self.canaries.say(f'user agent {len(self.canaries.spoken)}')}"}
        headers |= {"x-request-id": new_id(), "cookie": f"a={self.canaries.new('a cookie')}"}
        headers |= dict(options.pop("headers", {}))  # type: ignore[call-overload]
        response = self.stack.client.request(method, url, headers=headers, **options)  # type: ignore[arg-type]
        return self.heard(response)

    def heard(self, response: httpx.Response) -> httpx.Response:
        """Keep the signature of an answer, and the whole of one that refuses."""
        for name in ("x-casino-signature", "x-provider-signature"):
            self.note_signature(response.headers.get(name))
            self.note_signature(response.request.headers.get(name))
        if response.status_code >= 400:
            fields = [field for field in response.headers.multi_items() if not field[0].endswith("-signature")]
            self.errors.append(f"{response.text} {fields}")
            self.refused_ids[response.headers["x-request-id"]] = response.json()["code"]
        return response

    def note_signature(self, header: str | None) -> None:
        match = HEADER_PATTERN.fullmatch(header or "")
        if match:
            self.canaries.keep(f"signature {match[4][:4]}", match[4])

    def launch(self, player_id: str, *, token: str | None = None) -> httpx.Response:
        chosen = access_token(self.token_secret, player_id) if token is None else token
        self.canaries.keep(f"access token {len(self.canaries.everywhere)}", chosen.rpartition(".")[2])
        url = f"{self.stack.casino.base_url}/casino/launchGame"
        return self.ask("POST", url, json={"gameId": "1"}, headers={"authorization": f"Bearer {chosen}"})

    def session(self) -> GameSession:
        player_id = self.stack.open_player()
        answer = self.launch(player_id)
        assert answer.status_code == 201, answer.status_code
        content = answer.json()
        assert "sessionToken" not in content, "outside demo mode the wallet's token stays between the services"
        (token,) = {
            one.call.token
            for one in self.launch_proxy.deliveries
            if one.call.request.content.get("userId") == player_id
        }
        self.canaries.keep(f"session token {player_id}", token)
        return GameSession(
            wallet=self.stack.wallet,
            user_id=player_id,
            token=token,
            provider_session_id=content["providerSessionId"],
            opening_balance_minor=int(content["balance"]),
        )

    def signed(self, signed: Signed) -> httpx.Response:
        """A prepared request."""
        signed.request.headers["x-request-id"] = new_id()
        return self.heard(self.stack.client.send(signed.request))

    def wallet(self, endpoint: str, content: dict[str, object] | bytes, **options: object) -> httpx.Response:
        prepare = self.stack.wallet.signer.prepare
        return self.signed(prepare("POST", f"/casino/{endpoint}", content, **options))  # type: ignore[arg-type]

    def studio(self, endpoint: str, content: dict[str, object] | bytes, **options: object) -> httpx.Response:
        prepare = self.stack.signing_client(self.stack.provider).signer.prepare
        return self.signed(prepare("POST", f"/provider/{endpoint}", content, **options))  # type: ignore[arg-type]

    def simulation(self, session: GameSession, **changed: object) -> dict[str, object]:
        return {
            "sessionToken": session.token,
            "providerSessionId": session.provider_session_id,
            "userId": session.user_id,
            "gameId": "SLOTS_001",
            "currency": "USD",
            "casinoCode": TENANT,
            **changed,
        }

    def run(self, package: str, *arguments: str) -> str:
        """What a command prints."""
        environment = self.stack.services[package].environment
        done = subprocess.run(
            [sys.executable, "-m", package, *arguments],
            env=full_environment(environment), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def settle(self) -> None:
        """Until the provider's outbox has nothing left."""
        pending = "select count(*) as n from provider.wallet_transactions where state = 'pending'"
        wait_until(lambda: not self.stack.books.row(pending)["n"], "the outbox did not finish")


def settings_with(canaries: Canaries) -> dict[str, str]:
    """Every secret that can be configured."""

    def another(name: str) -> str:
        return json.dumps([{"id": "other", "secret": canaries.new(name), "notAfter": END_OF_A_KEY}])

    return {
        "CASINO_DEMO": "0",
        "CASINO_SECRET": canaries.new("CASINO_SECRET"),
        "PROVIDER_SECRET": canaries.new("PROVIDER_SECRET"),
        "CASINO_KEYS": another("CASINO_KEYS"),
        "PROVIDER_KEYS": another("PROVIDER_KEYS"),
        "CASINO_ACCESS_TOKEN_SECRET": canaries.new("CASINO_ACCESS_TOKEN_SECRET"),
        "CASINO_PEPPER": canaries.new("CASINO_PEPPER"),
        "PROVIDER_SEALING_KEY": canaries.new("PROVIDER_SEALING_KEY"),
        "LOG_LEVEL": "debug",
    }
