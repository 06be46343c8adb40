"""Judges one answer of a wallet.

Owns what is believed: a decision only with a good signature, a balance only in its right form. It must never turn a
doubt into a refusal.
"""

from typing import Any, Final

import httpx

from provider.wallet_client.actions import Step, action_for
from provider.wallet_client.messages import BadAnswer, WalletCall, WalletSession, read_answer, read_error
from provider.wallet_client.outcomes import (
    BAD_RESPONSE,
    REJECTED,
    UNREACHABLE,
    Accepted,
    Again,
    Outcome,
    Refused,
    Unknown,
)

RETRY_AFTER_MAX_SECONDS: Final = 5.0
RETRY_AFTER_MAX_DIGITS: Final = 6


def judge(call: WalletCall, session: WalletSession, response: httpx.Response, signature: str) -> Outcome | Again:
    """What this answer means."""
    status = response.status_code
    if status == 200:
        return _judge_acceptance(call, session, response, signature)
    members, code = read_error(response.content)
    action = action_for(status, code)
    said = f"status {status} {code}" if code else f"status {status}"
    if action.step is Step.UNKNOWN:
        return Unknown(UNREACHABLE if status >= 500 else BAD_RESPONSE, said, status)
    given_up = Unknown(REJECTED if status == 401 else UNREACHABLE, said, status)
    # A 401 proves nothing, signed or not. Whoever replays our request obtains a signed 401 for its nonce, and can
    # answer with it a call that was executed. The same transaction id under a fresh nonce finds out what happened.
    # 409, 429 and 503 move nothing and repeat the same id, so it does not matter that a proxy may have said them.
    if action.step is Step.RETRY:
        return Again(given_up, after_seconds=_retry_after(response))
    if action.step is Step.SIGN_ANEW:
        return Again(given_up, sign_anew=True, server_time=server_time(members, code, signature))
    if signature != "good":
        return Unknown(BAD_RESPONSE, f"{said}, signature {signature}", status)
    return Refused(status, code or REJECTED, action, members)


def server_time(members: dict[str, Any], code: str | None, signature: str) -> object:
    """The wallet's time as a 401 tells it; None without a good signature: anybody on the way could have written it."""
    return members.get("serverTime") if (code, signature) == ("timestamp_out_of_window", "good") else None


def _judge_acceptance(call: WalletCall, session: WalletSession, response: httpx.Response, signature: str) -> Outcome:
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


def _retry_after(response: httpx.Response) -> float:
    """What `retry-after` asks for in seconds, bounded; a date or nonsense counts as nothing."""
    text = response.headers.get("retry-after", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= RETRY_AFTER_MAX_DIGITS):
        return 0.0
    return min(float(text), RETRY_AFTER_MAX_SECONDS)
