"""Calls the provider: launch, simulate and spin, signed and with a time limit; and its public list of games.

Without a good signature an answer decides nothing: the call raises ProviderUnreachable.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import msgspec
import structlog

from casino.errors import Refused
from casino.sessions.circuit import Circuit
from shared_service.http import decoding
from shared_service.http.transport import Answer, NotSent, create_http_client
from shared_signing.httpx_auth import SignedAuth
from shared_signing.keys import KeyRing, NoLiveKey
from shared_signing.signer import Signer, clock_correction

log = structlog.get_logger()

SIGNATURE_HEADER: Final = "x-provider-signature"
CONNECT_TIMEOUT_SECONDS: Final = 2.0
LAUNCH_TIMEOUT_SECONDS: Final = 8.0
SIMULATE_TIMEOUT_SECONDS: Final = 90.0
SPIN_TIMEOUT_SECONDS: Final = 10.0
"""Longer than a provider takes: it answers within 8 seconds."""
GAMES_TIMEOUT_SECONDS: Final = 5.0
CONNECTIONS_MAX: Final = 64
"""Calls to one provider at once. One that is slow takes no more of the process."""
SPINS_MAX: Final = CONNECTIONS_MAX * 3 // 4
"""Spins among them: launches always find some."""
ANSWER_MAX_BYTES: Final = 1_048_576
"""The answer to a launch has hundreds of bytes, a report some thousands."""


_HEADERS: Final = (
    ("user-agent", "casino-service"),
    ("accept", "application/json"),
    ("content-type", "application/json"),
)
_HANDED_ON: Final = {404: "session_expired", 409: "session_busy", 503: "overloaded"}
"""The provider's answers to a simulation that a player's client can act on, by status."""
_NO_DECISIONS: Final = frozenset({401, 429})
"""Signed refusals that decide nothing: anybody can get a 401 with a copied request, and a 429 is temporary."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class ProviderUnreachable(Exception):  # noqa: N818 - an outcome, not a defect
    """The provider gave no answer with a good signature."""


class SpinRefused(Exception):  # noqa: N818 - an outcome, not a defect
    """A signed refusal of a spin: the provider's own, or what the wallet said to it."""

    def __init__(self, code: str, sentence: str | None) -> None:
        super().__init__(code)
        self.code = code
        self.sentence = sentence


class _Endpoint(NamedTuple):
    path: str
    timeout_seconds: float
    is_repeatable: bool
    """Whether a call that was perhaps served may be sent again."""
    refusal: Callable[[str, Answer], Exception]


class ProviderClient:
    """The endpoints of one provider. `url` is its address."""

    def __init__(
        self,
        provider_url: str,
        keys: KeyRing,
        *,
        ca_file: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`ca_file`: see `shared_service.tls.contexts.client_context`."""
        self.url = provider_url
        self._keys = keys
        self._circuit = Circuit()
        self._calls = 0
        self._client = create_http_client(
            base_url=provider_url,
            call_seconds=SIMULATE_TIMEOUT_SECONDS,
            connect_seconds=CONNECT_TIMEOUT_SECONDS,
            answer_max_bytes=ANSWER_MAX_BYTES,
            connections_max=CONNECTIONS_MAX,
            ca_file=ca_file,
            transport=transport,
        )

    @property
    def is_full(self) -> bool:
        """Whether as many calls wait for this provider as may."""
        return self._calls >= CONNECTIONS_MAX

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def launch(self, message: dict[str, Any], *, request_id: str) -> dict[str, Any]:
        """Open the provider's session. Returns the provider's answer.

        Raises ProviderUnreachable, Refused(provider_rejected) for a signed refusal, and Refused(overloaded) when too
        many calls wait for this provider.
        """
        endpoint = _Endpoint("/provider/launch", LAUNCH_TIMEOUT_SECONDS, True, _refusal)
        return await self._call(endpoint, message, request_id)

    async def simulate(self, message: dict[str, Any], *, request_id: str) -> dict[str, Any]:
        """Let the provider play the scripted round. Returns its report.

        Raises ProviderUnreachable, and Refused: session_expired, session_busy, overloaded or provider_rejected.
        """
        endpoint = _Endpoint("/provider/simulate", SIMULATE_TIMEOUT_SECONDS, False, _refusal_of_simulation)
        return await self._call(endpoint, message, request_id)

    async def spin(self, message: dict[str, Any], *, request_id: str) -> dict[str, Any]:
        """Let the provider play the spin of this `spinId`. Returns its outcome, the same for ever.

        Raises ProviderUnreachable, SpinRefused, and Refused(overloaded) when nothing was done.
        """
        if self._calls >= SPINS_MAX:
            raise Refused("overloaded")
        endpoint = _Endpoint("/provider/spin", SPIN_TIMEOUT_SECONDS, True, _refusal_of_spin)
        return await self._call(endpoint, message, request_id)

    async def games(self) -> list[Any]:
        """The provider's public list of its games. No signature covers it. Raises ProviderUnreachable."""
        try:
            async with asyncio.timeout(GAMES_TIMEOUT_SECONDS):
                answer = await self._client.get("/v1/games")
            listed = decoding.decode_object(answer.content).get("games") if answer.is_success else None
        except (httpx.HTTPError, OSError, Refused) as error:
            raise ProviderUnreachable(type(error).__name__) from error
        if not isinstance(listed, list):
            raise ProviderUnreachable(f"status {answer.status_code}, no games")
        return listed

    async def _call(self, endpoint: _Endpoint, message: dict[str, Any], request_id: str) -> dict[str, Any]:
        if self.is_full:
            raise Refused("overloaded")
        if not self._circuit.lets_through():
            raise ProviderUnreachable("its last calls failed")
        self._calls += 1
        try:
            content = await self._post(endpoint, message, request_id)
        except ProviderUnreachable:
            self._circuit.note(answered=False)
            raise
        except (Refused, SpinRefused):
            self._circuit.note(answered=True)
            raise
        finally:
            self._calls -= 1
        self._circuit.note(answered=True)
        return content

    async def _post(self, endpoint: _Endpoint, message: dict[str, Any], request_id: str) -> dict[str, Any]:
        path = endpoint.path
        body, target = msgspec.json.encode(message), self._client.target(path)
        headers = [*_HEADERS, ("x-request-id", request_id)]
        try:
            # One time limit for both requests.
            async with asyncio.timeout(endpoint.timeout_seconds):
                answer = await self._client.post_signed(target, body, headers=headers, auth=self._signed(0))
                if answer.status_code == httpx.codes.UNAUTHORIZED:
                    # A 401 does not prove that nothing was done. A repeated launch is safe; a round would be two.
                    correction_seconds = _correction(answer)
                    if endpoint.is_repeatable or correction_seconds:
                        auth = self._signed(correction_seconds)
                        answer = await self._client.post_signed(target, body, headers=headers, auth=auth)
        except (httpx.HTTPError, NoLiveKey, OSError) as error:
            log.warning(
                "provider_call_failed", path=path, error_type=type(error).__name__,
                address=self._client.base_url.netloc.decode(), why=str(error) if isinstance(error, NotSent) else None,
            )  # fmt: skip
            raise ProviderUnreachable(type(error).__name__) from error
        if answer.signature != "good" or answer.status_code != httpx.codes.OK:
            raise endpoint.refusal(path, answer)
        try:
            return decoding.decode_object(answer.content)
        except Refused:
            log.warning("provider_answer_malformed", path=path)
            raise ProviderUnreachable("its answer is not a JSON object") from None

    def _signed(self, correction_seconds: int) -> SignedAuth:
        return SignedAuth(Signer(self._keys, lambda: time.time() + correction_seconds), self._keys, SIGNATURE_HEADER)


def _refusal(path: str, answer: Answer) -> Refused | ProviderUnreachable:
    """The exception for an answer that is not a signed 200."""
    status, verdict = answer.status_code, answer.signature
    log.warning("provider_call_refused", path=path, status=status, signature=verdict, provider_code=_code(answer))
    if verdict == "good" and 400 <= status < 500 and status not in _NO_DECISIONS:
        return Refused("provider_rejected")
    return ProviderUnreachable(f"status {status}, signature {verdict}")


def _refusal_of_simulation(path: str, answer: Answer) -> Refused | ProviderUnreachable:
    status = answer.status_code
    if status in _HANDED_ON and (answer.signature == "good" or status == httpx.codes.SERVICE_UNAVAILABLE):
        return Refused(_HANDED_ON[status])  # an unsigned 503 counts too: nothing was done
    return _refusal(path, answer)


def _refusal_of_spin(path: str, answer: Answer) -> Refused | SpinRefused | ProviderUnreachable:
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return Refused("overloaded")  # the same id may be asked for again, whoever says it
    code, sentence = _code(answer), _content(answer).get("error")
    if answer.signature != "good" or code is None or answer.status_code == httpx.codes.UNAUTHORIZED:
        return _refusal(path, answer)
    return SpinRefused(code, sentence if isinstance(sentence, str) else None)


def _code(answer: Answer) -> str | None:
    """The code in a refusal, or None."""
    code = _content(answer).get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _correction(answer: Answer) -> int:
    """Returns how many seconds the provider's clock is ahead of ours, by its signed refusal of our time; else 0."""
    if answer.signature != "good":
        return 0
    told = _content(answer)
    told_time = told.get("serverTime") if told.get("code") == "timestamp_out_of_window" else None
    return clock_correction(told_time, time.time())


def _content(answer: Answer) -> dict[str, Any]:
    """Returns the members of an answer's body, or {} for a body that is not a JSON object."""
    try:
        return decoding.decode_object(answer.content)
    except Refused:
        return {}
