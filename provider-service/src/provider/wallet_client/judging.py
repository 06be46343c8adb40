"""Judges one answer of a wallet: accepted, refused, unknown, or to be retried.

Only an answer with a good signature accepts or refuses. Any doubt makes the outcome unknown.
"""

from typing import Any, Final

from provider.wallet_client.actions import Step, action_for
from provider.wallet_client.messages import BadAnswer, WalletCall, WalletSession, read_answer, read_error
from provider.wallet_client.outcomes import (
    BAD_RESPONSE,
    REJECTED,
    UNREACHABLE,
    Accepted,
    Outcome,
    Refused,
    Retryable,
    Unknown,
)
from shared_service.http.transport import Answer

RETRY_AFTER_MAX_SECONDS: Final = 5.0
RETRY_AFTER_MAX_DIGITS: Final = 6


def judge(call: WalletCall, session: WalletSession, response: Answer, signature: str) -> Outcome | Retryable:
    """The outcome that this answer proves, or `Retryable`. `signature`: the verdict on the answer's signature."""
    status = response.status_code
    if status == 200:
        return _judge_acceptance(call, session, response, signature)
    members, code = read_error(response.content)
    action = action_for(status, code)
    said = f"status {status} {code}" if code else f"status {status}"
    if action.step is Step.UNKNOWN:
        return Unknown(UNREACHABLE if status >= 500 else BAD_RESPONSE, said, status)
    given_up = Unknown(REJECTED if status == 401 else UNREACHABLE, said, status)
    # A 401 proves nothing, even when it is signed. An attacker who replays our request gets a signed 401 for its
    # nonce, and can answer an executed call with it. The same id under a new nonce finds out what happened.
    # 409, 429 and 503 only repeat the same id, so they need no signature: a proxy may send them.
    if action.step is Step.RETRY:
        return Retryable(given_up, after_seconds=_retry_after(response))
    if action.step is Step.SIGN_ANEW:
        return Retryable(given_up, sign_anew=True, server_time=server_time(members, code, signature))
    if signature != "good":
        return Unknown(BAD_RESPONSE, f"{said}, signature {signature}", status)
    return Refused(status, code or REJECTED, action, members)


def server_time(members: dict[str, Any], code: str | None, signature: str) -> object:
    """The wallet's time from a signed `timestamp_out_of_window`; None otherwise, because it could be forged."""
    return members.get("serverTime") if (code, signature) == ("timestamp_out_of_window", "good") else None


def _judge_acceptance(call: WalletCall, session: WalletSession, response: Answer, signature: str) -> Outcome:
    if signature != "good":
        return Unknown(BAD_RESPONSE, f"status 200, signature {signature}", 200)
    try:
        answer = read_answer(call, session, response.content)
    except BadAnswer as error:
        return Unknown(BAD_RESPONSE, str(error), 200)
    replayed = response.headers.get("idempotent-replay") == "true"
    return Accepted(
        200, answer.balance_minor, answer.tombstone, replayed, answer.members, response.content, answer.head
    )


def _retry_after(response: Answer) -> float:
    """The seconds in `retry-after`, bounded; 0 when it is missing, a date or malformed."""
    text = response.headers.get("retry-after", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= RETRY_AFTER_MAX_DIGITS):
        return 0.0
    return min(float(text), RETRY_AFTER_MAX_SECONDS)
