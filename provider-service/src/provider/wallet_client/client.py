"""Calls a wallet: signs a call, sends it, and retries it within one deadline.

Every attempt sends the same body under a new signature.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, Literal

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_exponential_jitter

from provider.settings import Settings
from provider.wallet_client.judging import judge
from provider.wallet_client.messages import WalletCall, WalletSession
from provider.wallet_client.outcomes import (
    BAD_RESPONSE,
    UNREACHABLE,
    Accepted,
    Attempt,
    Called,
    Outcome,
    Refused,
    Retryable,
    Unknown,
)
from shared_service.http.transport import (
    ANSWER_MAX_BYTES,
    Answer,
    AnswerRefused,
    Client,
    NotSent,
    Target,
    create_http_client,
)
from shared_signing.httpx_auth import SignedAuth, Verdict
from shared_signing.keys import KeyRing, NoLiveKey
from shared_signing.signer import Signer, clock_correction

__all__ = ["Accepted", "Called", "Refused", "Unknown", "WalletClient", "http_client_for"]

HEADER_NAME: Final = "x-casino-signature"
TRIES_MAX: Final = 10
FIRST_WAIT_SECONDS: Final = 0.1
WAIT_MAX_SECONDS: Final = 1.5
RETRY_AFTER_SPREAD: Final = 0.5
"""A wait is up to this share longer than `retry-after` asks, so that waiting clients do not return together."""
_HEADERS: Final = (
    ("user-agent", "provider-service"),
    ("accept", "application/json"),
    ("content-type", "application/json"),
)


CallObserver = Callable[[WalletCall, Called], None]
"""Called after every call with the call and its result."""


def http_client_for(settings: Settings, url: str, *, answer_max_bytes: int = ANSWER_MAX_BYTES) -> Client:
    """The HTTP client for the wallet at this address. The caller closes it."""
    return create_http_client(
        base_url=url,
        call_seconds=settings.call_seconds,
        connect_seconds=settings.connect_seconds,
        answer_max_bytes=answer_max_bytes,
        ca_file=settings.ca_file,
    )


class WalletClient:
    """Calls the wallet of one operator. Tasks may share it."""

    def __init__(
        self,
        http: Client,
        key_ring: KeyRing,
        *,
        call_seconds: float,
        clock: Callable[[], float] = time.time,
        observers: Sequence[CallObserver] = (),
    ) -> None:
        self._http = http
        self._observers = observers
        self._key_ring = key_ring
        self._call_seconds = call_seconds
        self._clock = clock
        self._targets: dict[str, Target] = {}
        self._auth = SignedAuth(Signer(key_ring, clock), key_ring, HEADER_NAME, clock=clock)

    async def call(self, call: WalletCall, session: WalletSession, *, request_id: str) -> Called:
        """Make one call within `call_seconds`, retries and waits included. A failed call returns `Unknown`."""
        exchange = _Exchange(self, call, session, request_id)
        try:
            async with asyncio.timeout(self._call_seconds):
                first = await exchange.attempt()
                outcome = await _retry(exchange.attempt, first) if isinstance(first, Retryable) else first
        except TimeoutError:
            outcome = exchange.timed_out()
        called = Called(outcome, tuple(exchange.attempts))
        for observe in self._observers:
            observe(call, called)
        return called

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def post(self, path: str, body: bytes, *, request_id: str, skew_seconds: int) -> Answer:
        """Send one signed POST. `skew_seconds`: how far the wallet's clock is ahead of ours."""
        headers = [*_HEADERS, ("x-request-id", request_id)]
        return await self._http.post_signed(self._target(path), body, headers=headers, auth=self._signed(skew_seconds))

    async def get(self, target: str, *, request_id: str, skew_seconds: int) -> httpx.Response:
        """Send one signed GET. `target`: a quoted path with its query."""
        headers = [*_HEADERS[:2], ("x-request-id", request_id)]
        request = httpx.Request("GET", f"{str(self._http.base_url).rstrip('/')}{target}", headers=headers)
        return await self._http.send(request, auth=self._signed(skew_seconds))

    def skew_to(self, server_time: object) -> int:
        """The seconds that the wallet's clock is ahead; 0 when the time is missing or out of bounds."""
        return clock_correction(server_time, self._clock())

    def _signed(self, skew_seconds: int) -> SignedAuth:
        if not skew_seconds:
            return self._auth
        skewed = Signer(self._key_ring, lambda: self._clock() + skew_seconds)
        return SignedAuth(skewed, self._key_ring, HEADER_NAME, clock=self._clock)

    def _target(self, path: str) -> Target:
        target = self._targets.get(path)
        if target is None:  # bounded: there are four paths
            target = self._targets[path] = self._http.target(path)
        return target


class _Exchange:
    """The attempts of one call."""

    def __init__(self, client: WalletClient, call: WalletCall, session: WalletSession, request_id: str) -> None:
        self.attempts: list[Attempt] = []
        self._client = client
        self._call = call
        self._session = session
        self._request_id = request_id
        self._body = call.encode(session)
        self._signed_anew = False
        self._skew_seconds = 0
        self._started: float | None = None
        self._latest: Retryable | None = None

    async def attempt(self) -> Outcome | Retryable:
        """Send once and record the attempt."""
        self._started = time.monotonic()
        status: int | None = None
        signature: Verdict | Literal["none"] = "none"
        judged: Outcome | Retryable
        try:
            answer = await self._client.post(
                self._call.path, self._body, request_id=self._request_id, skew_seconds=self._skew_seconds
            )
            status, signature = answer.status_code, answer.signature or "none"
            judged = judge(self._call, self._session, answer, signature)
        except NotSent as error:
            judged = Retryable(Unknown(UNREACHABLE, str(error)))
        except NoLiveKey:  # nothing was sent; the key watch may load a key meanwhile
            judged = Retryable(Unknown(UNREACHABLE, "no live key"))
        except AnswerRefused as error:
            judged = Unknown(BAD_RESPONSE, str(error))
        except httpx.HTTPError as error:
            judged = Unknown(UNREACHABLE, str(error))
        self._record(status, signature, judged)
        if isinstance(judged, Retryable) and judged.sign_anew:
            if self._signed_anew:
                return judged.if_given_up
            self._signed_anew, self._skew_seconds = True, self._client.skew_to(judged.server_time)
        self._latest = judged if isinstance(judged, Retryable) else None
        return judged

    def timed_out(self) -> Unknown:
        """The outcome when the deadline passes, during an attempt or during the wait between two."""
        if self._started is None and self._latest is not None:
            return self._latest.if_given_up
        late = Unknown(UNREACHABLE, "deadline")
        if self._started is not None:
            self._record(None, "none", late)
        return late

    def _record(self, status: int | None, signature: str, judged: Outcome | Retryable) -> None:
        known = judged.if_given_up if isinstance(judged, Retryable) else judged
        ended, started = time.monotonic(), self._started or time.monotonic()
        self._started = None
        self.attempts.append(
            Attempt(
                started,
                round((ended - started) * 1000),
                status,
                None if isinstance(known, Accepted) else known.code,
                signature,
                known.why if isinstance(known, Unknown) else None,
            )
        )


_BACKOFF: Final = wait_exponential_jitter(
    multiplier=FIRST_WAIT_SECONDS, max=WAIT_MAX_SECONDS, jitter=FIRST_WAIT_SECONDS
)


def _pause(state: RetryCallState) -> float:
    """The seconds to wait before the next attempt."""
    again = state.outcome.result() if state.outcome else None
    if isinstance(again, Retryable) and again.sign_anew:
        return 0.0
    asked_seconds = again.after_seconds if isinstance(again, Retryable) else 0.0
    # Spread the waits: rejected clients that return together would be rejected together again.
    spread = random.uniform(1.0, 1.0 + RETRY_AFTER_SPREAD)  # noqa: S311 -- pacing, not a secret
    return max(_BACKOFF(state), asked_seconds * spread)


async def _retry(attempt: Callable[[], Awaitable[Outcome | Retryable]], first: Retryable) -> Outcome:
    """Retry after a first attempt that may be repeated. A call that succeeds at once skips this cost."""
    results = _replay_first(first, attempt)

    async def next_result() -> Outcome | Retryable:
        return await anext(results)

    retrying = AsyncRetrying(
        wait=_pause,
        stop=stop_after_attempt(TRIES_MAX),
        retry=retry_if_result(lambda result: isinstance(result, Retryable)),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else first,
    )
    result: Outcome | Retryable = await retrying(next_result)
    return result.if_given_up if isinstance(result, Retryable) else result


async def _replay_first(
    first: Retryable, attempt: Callable[[], Awaitable[Outcome | Retryable]]
) -> AsyncIterator[Outcome | Retryable]:
    """Yield the first attempt, so that tenacity counts it and waits after it, then make new ones."""
    yield first
    for _ in range(TRIES_MAX):
        yield await attempt()
