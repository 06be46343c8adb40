"""Reads the wallet's transaction feed and single transactions, with retries.

It uses only complete answers with a good signature within the size bound.
"""

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from provider.reconciliation.transactions import InvalidValue, Theirs, Unreadable, read_theirs, unreadable
from provider.wallet_client.client import WalletClient
from provider.wallet_client.judging import server_time
from provider.wallet_client.messages import BadAnswer, read_error
from provider.wire import MalformedJson, read_object
from shared_service.http.transport import AnswerRefused
from shared_signing.httpx_auth import EXTENSION_NAME

PAGE_ROWS: Final = 1000
ROW_MAX_BYTES: Final = 2048
"""Room for four identifiers of 128 characters, each escaped to twice its length, and the other members."""
PAGE_MAX_BYTES: Final = PAGE_ROWS * ROW_MAX_BYTES
CURSOR_MAX: Final = 2**63 - 1
DIGITS_MAX: Final = 100
TRIES_MAX: Final = 5
FIRST_WAIT_SECONDS: Final = 0.2
WAIT_MAX_SECONDS: Final = 2.0


class WalletAway(Exception):  # noqa: N818 - an outcome, named as the others are
    """The wallet gave no usable answer in any try. The text says what was wrong."""


class FeedRefused(Exception):  # noqa: N818 - an outcome, named as the others are
    """The wallet signed an answer that breaks a rule, so a retry is useless. The text names the rule."""


@dataclass(frozen=True, slots=True)
class Page:
    """Transactions in commit order. `next`: the cursor of the next page, None when it is invalid."""

    rows: tuple[Theirs | Unreadable, ...]
    next: str | None


class Feed:
    """Reads the feed of one wallet. The client's bound on answers must be `PAGE_MAX_BYTES`."""

    def __init__(
        self, wallet: WalletClient, *, request_id: str, first_wait_seconds: float = FIRST_WAIT_SECONDS
    ) -> None:
        self._wallet = wallet
        self._request_id = request_id
        self._skew_seconds = 0
        self._retrying = AsyncRetrying(
            wait=wait_exponential_jitter(
                multiplier=first_wait_seconds, max=WAIT_MAX_SECONDS, jitter=first_wait_seconds
            ),
            stop=stop_after_attempt(TRIES_MAX),
            retry=retry_if_exception_type(WalletAway),
            reraise=True,
        )

    async def page(self, after: str) -> Page:
        """The transactions after this cursor. Raises `WalletAway`, `FeedRefused`."""
        response = await self._ask(f"/casino/transactions?after={quote(after, safe='')}&limit={PAGE_ROWS}")
        try:
            return _read_page(response, after)
        except BadAnswer as error:
            raise FeedRefused(str(error)) from None

    async def transaction(self, transaction_id: str, user_id: str) -> Theirs | Unreadable | None:
        """One transaction of a player; None when the wallet has never seen it. Raises `WalletAway`."""
        # Encode dots: a proxy may resolve an id of dots as a dot segment.
        segment = quote(transaction_id, safe="").replace(".", "%2E")
        target = f"/casino/transactions/{segment}?userId={quote(user_id, safe='')}"
        try:
            response = await self._ask(target)
            if response.status_code == 404:
                if read_error(response.content)[1] == "not_found":
                    return None
                raise BadAnswer("a 404 with another code than not_found")
            members = read_object(response.content)
        except (FeedRefused, BadAnswer, MalformedJson) as error:
            return unreadable(None, str(error))
        row = _read_row(members)
        if isinstance(row, Theirs) and (row.transaction_id, row.user_id) != (transaction_id, user_id):
            return unreadable(members, "another transaction")
        return row

    async def _ask(self, target: str) -> httpx.Response:
        answer: httpx.Response = await self._retrying(self._ask_once, target)
        return answer

    async def _ask_once(self, target: str) -> httpx.Response:
        try:
            response = await self._wallet.get(target, request_id=self._request_id, skew_seconds=self._skew_seconds)
        except AnswerRefused as error:
            raise FeedRefused(str(error)) from None
        except httpx.HTTPError as error:
            raise WalletAway(type(error).__name__) from None
        status, signature = response.status_code, response.extensions[EXTENSION_NAME]
        if status == 401 and signature == "good":
            self._skew_seconds = self._wallet.skew_to(server_time(*read_error(response.content), signature))
        if signature != "good":
            raise WalletAway(f"status {status}, signature {signature}")
        if status in (200, 404):
            return response
        raise WalletAway(f"status {status}")


def _read_page(response: httpx.Response, after: str) -> Page:
    if response.status_code != 200:
        raise BadAnswer("the feed is not found")
    members = _decoded(response.content)
    rows = members.get("transactions")
    if not isinstance(rows, list) or len(rows) > PAGE_ROWS:
        raise BadAnswer("transactions is not a list within the page size")
    following = members.get("next")
    fits = _is_cursor(following) and (following == after) is (not rows)
    return Page(tuple(_read_row(row, of_feed=True) for row in rows), following if fits else None)


def _read_row(members: object, *, of_feed: bool = False) -> Theirs | Unreadable:
    """One transaction; `Unreadable` when it breaks a rule, so that the other rows are still compared."""
    try:
        row = read_theirs(members)
    except BadAnswer as error:
        return unreadable(members, str(error))
    if of_feed and row.state == "cancelled":
        return unreadable(members, "a feed row has the state cancelled")
    return row


def _is_cursor(value: object) -> bool:
    if not isinstance(value, str) or not (value.isascii() and value.isdecimal()):
        return False
    return len(value) <= len(str(CURSOR_MAX)) and int(value) <= CURSOR_MAX


def _decoded(body: bytes) -> dict[str, Any]:
    """The JSON object of a page. An invalid value becomes `InvalidValue`, so that only its row is unreadable."""
    try:
        content = _DECODER.decode(body.decode("utf-8", errors="surrogateescape"))
    except (ValueError, RecursionError):
        raise BadAnswer("not JSON") from None
    if not isinstance(content, dict):
        raise BadAnswer("not a JSON object without duplicate keys")
    return content


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any] | InvalidValue:
    members = dict(pairs)
    return members if len(members) == len(pairs) else InvalidValue("an object with a key twice")


def _whole_number(text: str) -> int | InvalidValue:
    return int(text) if len(text) <= DIGITS_MAX else InvalidValue(f"a number of {len(text)} digits")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_members, parse_int=_whole_number, parse_constant=InvalidValue)
