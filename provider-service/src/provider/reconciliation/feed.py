"""Asks the wallet what it holds: the feed, page by page, and single transactions.

Owns the questions, their few retries, and what is believed of the answers: only what is well signed and whole. It
must never move money, and never read a page to its end when it has none.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from provider.reconciliation.sides import Theirs, read_theirs
from provider.wallet_client.client import WalletClient
from provider.wallet_client.judging import server_time
from provider.wallet_client.messages import BadAnswer, read_error
from provider.wallet_client.transport import AnswerRefused
from provider.wire import MalformedJson, read_object
from shared_signing.httpx_auth import EXTENSION_NAME

PAGE_ROWS: Final = 1000
ROW_MAX_BYTES: Final = 2048
"""Four identifiers of 128 characters, twice as long where every one has to be escaped, and the rest of a row."""
PAGE_MAX_BYTES: Final = PAGE_ROWS * ROW_MAX_BYTES
CURSOR_MAX_DIGITS: Final = 19
TRIES_MAX: Final = 5
FIRST_WAIT_SECONDS: Final = 0.2
WAIT_MAX_SECONDS: Final = 2.0


class WalletAway(Exception):  # noqa: N818 - an outcome, named as the others are
    """The wallet gave no answer that can be believed, however often it was asked. The text says what was wrong."""


class FeedRefused(Exception):  # noqa: N818 - an outcome, named as the others are
    """The wallet signed an answer that breaks a rule: asking again would not help. The text says which rule."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some transactions in commit order, and the cursor for those after them."""

    rows: tuple[Theirs, ...]
    next: str


class Feed:
    """What one wallet tells. Its client has a body bound of its own: a page is larger than any other answer."""

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
        except (BadAnswer, MalformedJson) as error:
            raise FeedRefused(str(error)) from None

    async def transaction(self, transaction_id: str, user_id: str) -> Theirs | None:
        """One transaction of a player; None when the wallet has never seen it. Raises `WalletAway`, `FeedRefused`."""
        # An id of dots would be a dot segment, which paths on the way may resolve.
        segment = quote(transaction_id, safe="").replace(".", "%2E")
        target = f"/casino/transactions/{segment}?userId={quote(user_id, safe='')}"
        response = await self._ask(target)
        if response.status_code == 404:
            if read_error(response.content)[1] != "not_found":
                raise FeedRefused("a 404 that is not not_found")
            return None
        try:
            told = read_theirs(read_object(response.content))
        except (BadAnswer, MalformedJson) as error:
            raise FeedRefused(str(error)) from None
        if (told.transaction_id, told.user_id) != (transaction_id, user_id):
            raise FeedRefused("another transaction")
        return told

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
        raise BadAnswer("no feed")
    members = read_object(response.content)
    rows, following = members.get("transactions"), members.get("next")
    if not isinstance(rows, list) or len(rows) > PAGE_ROWS:
        raise BadAnswer("transactions is not a page")
    if not isinstance(following, str) or not (
        following.isascii() and following.isdecimal() and len(following) <= CURSOR_MAX_DIGITS
    ):
        raise BadAnswer("next is not a cursor")
    if (following == after) is not (not rows):
        raise BadAnswer("a page and its cursor do not fit")
    read = tuple(read_theirs(row) for row in rows)
    if any(row.state == "cancelled" for row in read):
        raise BadAnswer("a feed tells what happened, not what was cancelled")
    return Page(read, following)
