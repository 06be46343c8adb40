"""Calls a wallet: signs, sends, retries what is safe within one deadline, and says what is known afterwards.

Owns the way from a call to one of three outcomes: accepted, refused, unknown. It must never turn a doubt into a
refusal, never believe a decision without a good signature, and never outlive the call's deadline.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import structlog
from pyreqwest.exceptions import PyreqwestError
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_exponential_jitter

from provider.wallet_client.actions import Action, Step, action_for
from provider.wallet_client.messages import BadAnswer, WalletCall, WalletSession, read_answer, read_error
from provider.wallet_client.transport import AnswerRefused
from shared_signing.httpx_auth import EXTENSION_NAME, SignedAuth
from shared_signing.keys import KeyRing
from shared_signing.signer import Signer

log = structlog.get_logger(__name__)

HEADER_NAME: Final = "x-casino-signature"
TRIES_MAX: Final = 10
FIRST_WAIT_SECONDS: Final = 0.1
WAIT_MAX_SECONDS: Final = 1.5
RETRY_AFTER_MAX_SECONDS: Final = 5.0
SKEW_MAX_SECONDS: Final = 600

UNREACHABLE: Final = "operator_unreachable"
BAD_RESPONSE: Final = "operator_bad_response"
REJECTED: Final = "operator_rejected"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP attempt, for the record."""

    started: float  # monotonic seconds
    elapsed_ms: int
    status: int | None
    code: str | None
    signature: str
    failure: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The wallet did it, and signed that it did."""

    status: int
    balance_minor: int
    tombstone: bool
    replayed: bool
    members: dict[str, Any] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The wallet decided against it, and signed that."""

    status: int
    code: str
    action: Action
    members: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows. `code` is what a player's client would be told, `why` is for people."""

    code: str
    why: str
    status: int | None = None
    members: dict[str, Any] = field(default_factory=dict, repr=False)


Outcome = Accepted | Refused | Unknown


@dataclass(frozen=True, slots=True)
class _Again:
    """Nothing happened: try the same id again, not before `after_seconds`."""

    if_given_up: Unknown
    after_seconds: float = 0.0
    sign_anew: bool = False
    skew_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Called:
    """An outcome and the attempts that led to it."""

    outcome: Outcome
    attempts: tuple[Attempt, ...]


class WalletClient:
    """The wallet of one operator. Safe to share between tasks."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        key_ring: KeyRing,
        *,
        call_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._key_ring = key_ring
        self._call_seconds = call_seconds
        self._clock = clock
        self._auth = SignedAuth(Signer(key_ring, clock), key_ring, HEADER_NAME, clock=clock)

    async def call(self, call: WalletCall, session: WalletSession, *, request_id: str) -> Called:
        """Make one call and stay within its deadline, retries and waits included."""
        attempts: list[Attempt] = []
        exchange = _Exchange(self, call, session, request_id, attempts)
        try:
            async with asyncio.timeout(self._call_seconds):
                first = await exchange.attempt()
                outcome = first if not isinstance(first, _Again) else await _retry(exchange.attempt, first)
        except TimeoutError:
            outcome = exchange.ran_out()
        return Called(outcome, tuple(attempts))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def post(self, path: str, body: bytes, *, request_id: str, skew_seconds: int) -> httpx.Response:
        """Send one signed request. A skew is what the wallet's clock is ahead of ours."""
        auth = self._auth
        if skew_seconds:
            skewed = Signer(self._key_ring, lambda: self._clock() + skew_seconds)
            auth = SignedAuth(skewed, self._key_ring, HEADER_NAME, clock=self._clock)
        return await self._http.post(path, content=body, headers={"x-request-id": request_id}, auth=auth)

    def skew_to(self, server_time: object) -> int:
        """How far the wallet's clock is ahead, if it says so believably."""
        if not isinstance(server_time, int) or isinstance(server_time, bool):
            return 0
        skew_seconds = server_time - int(self._clock())
        return skew_seconds if abs(skew_seconds) <= SKEW_MAX_SECONDS else 0


class _Exchange:
    """The attempts of one call: the same bytes each time, under a fresh signature."""

    def __init__(
        self, client: WalletClient, call: WalletCall, session: WalletSession, request_id: str, attempts: list[Attempt]
    ) -> None:
        self._client = client
        self._call = call
        self._session = session
        self._request_id = request_id
        self._attempts = attempts
        self._body = call.encode(session)
        self._signed_anew = False
        self._skew_seconds = 0
        self._started: float | None = None
        self._latest: _Again | None = None

    async def attempt(self) -> Outcome | _Again:
        """Send once, and note how it went."""
        self._started = time.monotonic()
        status: int | None = None
        signature, failure = "none", None
        try:
            response = await self._client.post(
                self._call.path, self._body, request_id=self._request_id, skew_seconds=self._skew_seconds
            )
            status, signature = response.status_code, response.extensions[EXTENSION_NAME]
            judged = self._judge(response, signature)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            failure = type(error).__name__
            judged = _Again(Unknown(UNREACHABLE, failure))  # it never left
        except AnswerRefused as error:
            failure = type(error).__name__
            judged = Unknown(BAD_RESPONSE, str(error))
        except (httpx.HTTPError, PyreqwestError) as error:
            failure = type(error).__name__
            judged = Unknown(UNREACHABLE, failure)
        self._note(status, signature, failure, judged)
        if isinstance(judged, _Again) and judged.sign_anew:
            if self._signed_anew:
                return judged.if_given_up
            self._signed_anew, self._skew_seconds = True, judged.skew_seconds
        self._latest = judged if isinstance(judged, _Again) else None
        return judged

    def ran_out(self) -> Unknown:
        """The deadline passed, in the middle of an attempt or of the wait before the next one."""
        if self._started is None and self._latest is not None:
            return self._latest.if_given_up
        if self._started is not None:
            self._note(None, "none", "deadline", None)
        return Unknown(UNREACHABLE, "deadline")

    def _note(self, status: int | None, signature: str, failure: str | None, judged: Outcome | _Again | None) -> None:
        assert self._started is not None  # noqa: S101 -- an attempt is noted after it began
        code = judged.code if isinstance(judged, Refused | Unknown) else None
        if isinstance(judged, _Again):
            code = judged.if_given_up.code
        elapsed_ms = round((time.monotonic() - self._started) * 1000)
        self._attempts.append(Attempt(self._started, elapsed_ms, status, code, signature, failure))
        self._started = None

    def _judge(self, response: httpx.Response, signature: str) -> Outcome | _Again:
        status = response.status_code
        if status == 200:
            return self._judge_acceptance(response, signature)
        members, code = read_error(response.content)
        action = action_for(status, code)
        unknown = Unknown(REJECTED if status < 500 else UNREACHABLE, f"status {status}", status, members)
        if action.step is Step.UNKNOWN:
            return Unknown(BAD_RESPONSE, unknown.why, status, members) if status < 500 else unknown
        if action.step is Step.REFUSE and signature != "good":
            return Unknown(BAD_RESPONSE, f"status {status}, signature {signature}", status, members)
        if action.step is Step.RETRY:
            return _Again(unknown, after_seconds=_retry_after(response))
        if action.step is Step.SIGN_ANEW:
            return _Again(unknown, sign_anew=True, skew_seconds=self._client.skew_to(members.get("serverTime")))
        return Refused(status, code or REJECTED, action, members)

    def _judge_acceptance(self, response: httpx.Response, signature: str) -> Outcome:
        if signature != "good":
            return Unknown(BAD_RESPONSE, f"status 200, signature {signature}", 200)
        try:
            answer = read_answer(self._call, self._session, response.content)
        except BadAnswer as error:
            return Unknown(BAD_RESPONSE, str(error), 200)
        replayed = response.headers.get("idempotent-replay") == "true"
        return Accepted(200, answer.balance_minor, answer.tombstone, replayed, answer.members, response.content)


def _retry_after(response: httpx.Response) -> float:
    """What `retry-after` asks for in seconds, bounded; a date or nonsense counts as nothing."""
    text = response.headers.get("retry-after", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        return 0.0
    return min(float(text), RETRY_AFTER_MAX_SECONDS)


_BACKOFF: Final = wait_exponential_jitter(initial=FIRST_WAIT_SECONDS, max=WAIT_MAX_SECONDS, jitter=FIRST_WAIT_SECONDS)


def _pause(state: RetryCallState) -> float:
    """How long to wait after an attempt that did nothing."""
    again = state.outcome.result() if state.outcome else None
    if isinstance(again, _Again) and again.sign_anew:
        return 0.0
    return max(_BACKOFF(state), again.after_seconds if isinstance(again, _Again) else 0.0)


async def _retry(attempt: Callable[[], Awaitable[Outcome | _Again]], first: _Again) -> Outcome:
    """Go on after a first attempt that did nothing. An exchange that needs only one never comes here."""
    results = _replay_first(first, attempt)
    retrying = AsyncRetrying(
        wait=_pause,
        stop=stop_after_attempt(TRIES_MAX),
        retry=retry_if_result(lambda result: isinstance(result, _Again)),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else first,
    )
    result: Outcome | _Again = await retrying(results.__anext__)
    return result.if_given_up if isinstance(result, _Again) else result


async def _replay_first(
    first: _Again, attempt: Callable[[], Awaitable[Outcome | _Again]]
) -> AsyncIterator[Outcome | _Again]:
    """The attempt that was made already, so that tenacity counts and waits after it too, then fresh ones."""
    yield first
    for _ in range(TRIES_MAX):
        yield await attempt()
