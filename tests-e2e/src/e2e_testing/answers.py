"""What an answer looks like, and the manners of protocol.md sections 1 and 6 that every answer must have."""

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

CODES_BY_STATUS: dict[int, tuple[str, ...]] = {
    400: (
        "malformed_request", "malformed_json", "invalid_field", "bad_amount", "currency_mismatch", "round_mismatch",
        "no_matching_bet", "bet_rolled_back", "transaction_rolled_back", "round_has_payout", "not_a_bet",
        "stake_too_low", "stake_too_high", "win_cap_exceeded",
    ),
    401: (
        "signature_missing", "signature_malformed", "unknown_key", "bad_signature", "timestamp_out_of_window",
        "nonce_replay",
    ),
    402: ("insufficient_balance",),
    403: (
        "session_player_mismatch", "session_fingerprint_mismatch", "player_excluded", "wallet_blocked",
        "limit_exceeded", "cooldown_active", "bonus_ack_required", "session_time_limit",
    ),
    404: (
        "session_not_found", "session_expired", "player_not_found", "game_not_found", "round_not_found", "not_found",
    ),
    405: ("method_not_allowed",),
    409: ("session_busy",),
    413: ("body_too_large",),
    415: ("unsupported_media_type",),
    422: ("idempotency_mismatch",),
    423: ("game_disabled", "provider_draining", "casino_draining", "play_stopped"),
    429: ("rate_limited",),
    500: ("internal",),
    502: (
        "provider_unreachable", "provider_rejected", "operator_unreachable", "operator_rejected",
        "operator_bad_response",
    ),
    503: ("overloaded",),
}  # fmt: skip

FIELDS_OF_EVERY_ERROR = {"error", "code", "requestId"}
EXTRA_FIELD_OF_CODE = {
    "invalid_field": "field",
    "idempotency_mismatch": "field",
    "timestamp_out_of_window": "serverTime",
    "insufficient_balance": "playerMessage",
    "wallet_blocked": "playerMessage",
    "game_disabled": "playerMessage",
    "limit_exceeded": "playerMessage",
    "session_time_limit": "playerMessage",
    "cooldown_active": "playerMessage",
    "player_excluded": "playerMessage",
    "provider_draining": "playerMessage",
    "play_stopped": "playerMessage",
    "bonus_ack_required": "playerMessage",
}
HEAD = re.compile(r"[1-9][0-9]*:[0-9a-f]{64}")
RETRY_AFTER_STATUSES = (429, 503)

CODES_SEEN: set[str] = set()
"""The codes of refusals that have come from a real service since the test began."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A service as its caller knows it."""

    base_url: str
    header_name: str
    secret: str
    verify: ssl.SSLContext | bool = False
    """Whom the caller believes where the address is https. For http no authorities are loaded, which takes 15 ms."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a service, with the judgement on its signature: good, missing, bad, or empty where none is due."""

    status: int
    headers: httpx.Headers
    body: bytes
    signature: str

    @property
    def content(self) -> dict[str, Any]:
        content = json.loads(self.body)
        assert isinstance(content, dict)
        return content

    @property
    def money(self) -> dict[str, Any]:
        """An accepted money command's content without its head, whose form is checked: its hash is the wallet's own."""
        content = self.content
        assert HEAD.fullmatch(content.pop("head")), f"not a head: {self.body!r}"
        return content

    @property
    def head(self) -> tuple[int, str]:
        """Sequence and hash that an accepted money command has in its wallet's chain."""
        sequence, entry_hash = self.content["head"].split(":")
        return int(sequence), entry_hash

    @property
    def code(self) -> str | None:
        return self.content.get("code") if self.status >= 400 else None

    @property
    def balance(self) -> int:
        balance = self.content["balance"]
        assert isinstance(balance, str), f"a balance is a decimal string, not {balance!r}"
        return int(balance)

    @property
    def is_replay(self) -> bool:
        return bool(self.headers.get("idempotent-replay") == "true")

    @property
    def verdict(self) -> tuple[int, str | None]:
        """Status and code: what most tests compare."""
        return self.status, self.code

    def must_be_signed(self) -> "Answer":
        assert self.signature == "good", f"signature of this answer is {self.signature}: {self.status} {self.body!r}"
        return self

    def must_be_ok(self) -> "Answer":
        assert self.status in (200, 201), f"expected success, got {self.status} {self.body!r}"
        return self


def to_bytes(content: Mapping[str, object] | bytes | None) -> bytes:
    if content is None:
        return b""
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def judged(response: httpx.Response, *, signature: str) -> Answer:
    """Turn an HTTP response into an Answer, after holding it to the manners of every answer."""
    answer = Answer(response.status_code, response.headers, response.content, signature)
    require_manners(answer)
    if answer.status >= 400 and not response.request.url.path.startswith("/health/"):
        require_error_manners(answer)
    return answer


def require_manners(answer: Answer) -> None:
    said = f"{answer.status} {answer.body!r}"
    assert answer.headers.get("x-request-id"), f"an answer without x-request-id: {said}"
    assert answer.headers.get("content-type", "").startswith("application/json"), f"not JSON: {said}"
    assert answer.content is not None


def require_error_manners(answer: Answer) -> None:
    said = f"{answer.status} {answer.body!r}"
    code = answer.content["code"]
    CODES_SEEN.add(code)
    assert code in CODES_BY_STATUS.get(answer.status, ()), f"protocol.md knows no such code at this status: {said}"
    extra = EXTRA_FIELD_OF_CODE.get(code)
    expected = FIELDS_OF_EVERY_ERROR | ({extra} if extra else set())
    assert set(answer.content) == expected, f"an error has exactly {sorted(expected)}: {said}"
    sentence = answer.content["error"]
    assert isinstance(sentence, str)
    assert sentence, f"an error says something: {said}"
    assert "\n" not in sentence
    if not answer.is_replay:
        assert answer.content["requestId"] == answer.headers["x-request-id"], f"two request ids in one answer: {said}"
    if answer.status in RETRY_AFTER_STATUSES:
        assert float(answer.headers["retry-after"]) >= 0, f"no retry-after: {said}"
