"""Builds the bodies of calls to a wallet and reads its answers, which are untrusted input.

The session token appears in the sent body only: reprs leave it out, and `mask_token` removes it from copies.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from provider.wire import MalformedJson, read_object

BALANCE_MAX_MINOR: Final = 2**62
SEQUENCE_MAX: Final = 2**63 - 1
BALANCE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
HEAD: Final = re.compile(r"([1-9][0-9]{0,18}):([0-9a-f]{64})")
CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")  # codes are written to logs and tables
TOKEN_MASK: Final = "****"  # noqa: S105 -- stands in for a token

OMITTED: Final = "…"
SHOWN_MEMBERS_MAX: Final = 20
SHOWN_CHARS_MAX: Final = 300

Kind = Literal["debit", "credit", "rollback"]


class BadAnswer(ValueError):  # noqa: N818 - the word of the contract
    """A 200 answer breaks a rule. The text names the rule and contains nothing from the answer."""


@dataclass(frozen=True, slots=True)
class WalletSession:
    """The player and session of a call. The repr leaves the token out, so logs and tracebacks do too."""

    user_id: str
    currency: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletCall:
    """One call: its path, and its body without session and player."""

    path: str
    transaction_id: str | None = None
    members: dict[str, str | int | bool] = field(default_factory=dict)

    def body(self, session: WalletSession) -> dict[str, Any]:
        """The body, in a fixed order, so that a repeated call has the same bytes."""
        return {"sessionToken": session.token, "userId": session.user_id, **self.members}

    def encode(self, session: WalletSession) -> bytes:
        return msgspec.json.encode(self.body(session))


def balance_call() -> WalletCall:
    """A call that reads the balance."""
    return WalletCall(path="/casino/getBalance")


def money_call(
    kind: Kind,
    *,
    transaction_id: str,
    round_id: str,
    amount_minor: int = 0,
    currency: str | None = None,
    related_transaction_id: str | None = None,
    original_transaction_id: str | None = None,
    end_round: bool = False,
) -> WalletCall:
    """A debit, a credit or a rollback. `amount_minor` is ignored for a rollback."""
    members: dict[str, str | int | bool] = {"transactionId": transaction_id, "roundId": round_id}
    if kind != "rollback":
        members["amount"] = amount_minor
        if currency is not None:
            members["currency"] = currency
    if related_transaction_id is not None:
        members["relatedTransactionId"] = related_transaction_id
    if original_transaction_id is not None:
        members["originalTransactionId"] = original_transaction_id
    if end_round:
        members["endRound"] = True
    return WalletCall(path=f"/casino/{kind}", transaction_id=transaction_id, members=members)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest transaction of a wallet's chain: its sequence and its hash."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class GoodAnswer:
    """The content of a valid 200 answer. `head` is None when the wallet keeps no chain."""

    balance_minor: int
    tombstone: bool
    head: Head | None
    members: dict[str, Any] = field(repr=False)


def read_answer(call: WalletCall, session: WalletSession, body: bytes) -> GoodAnswer:
    """Read a 200 answer and check that it belongs to this call. Raises `BadAnswer`."""
    try:
        members = read_object(body)
    except MalformedJson:
        raise BadAnswer("not a JSON object") from None
    balance_minor = read_balance(members, "balance")
    if members.get("currency") != session.currency:
        raise BadAnswer("another currency")
    if call.transaction_id is None:
        if members.get("userId") != session.user_id:
            raise BadAnswer("another player")
    elif members.get("transactionId") != call.transaction_id:
        raise BadAnswer("another transaction")
    elif members.get("status") != "ok":
        raise BadAnswer("status is not ok")
    return GoodAnswer(balance_minor, members.get("tombstone") is True, read_head(members), members)


def read_balance(members: dict[str, Any], name: str) -> int:
    """The member `name` as minor units: a decimal string from 0 to 2^62. Raises `BadAnswer`."""
    text = members.get(name)
    if not isinstance(text, str) or BALANCE.fullmatch(text) is None or int(text) > BALANCE_MAX_MINOR:
        raise BadAnswer(f"{name} is not a decimal string within bounds")
    return int(text)


def read_head(members: dict[str, Any]) -> Head | None:
    """The head in an answer, or None without one. Raises `BadAnswer`."""
    text = members.get("head")
    if text is None:
        return None
    found = HEAD.fullmatch(text) if isinstance(text, str) else None
    if found is None or int(found[1]) > SEQUENCE_MAX:
        raise BadAnswer("head is not a sequence and a hash")
    return Head(int(found[1]), found[2])


def read_error(body: bytes) -> tuple[dict[str, Any], str | None]:
    """The members and the code of an error answer; `({}, None)` when it is not JSON."""
    try:
        members = read_object(body)
    except MalformedJson:
        return {}, None
    code = members.get("code")
    return members, code if isinstance(code, str) and CODE.fullmatch(code) else None


def mask_token(members: dict[str, Any], token: str) -> dict[str, Any]:
    """A short, flat copy without the token, even where a hostile wallet echoes the token."""
    shown: dict[str, Any] = {}
    for name, value in list(members.items())[:SHOWN_MEMBERS_MAX]:
        if name == "sessionToken":
            shown[name] = TOKEN_MASK
        else:
            shown[_shown_text(name, token)] = _shown(value, token)
    return shown


def _shown(value: object, token: str) -> object:
    if isinstance(value, str):
        return _shown_text(value, token)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() < 64:
        return TOKEN_MASK if str(value) == token else value
    return OMITTED  # not in the protocol: nested, fractional or too large


def _shown_text(text: str, token: str) -> str:
    # Encoding replaces lone surrogates: JSON can contain them, UTF-8 cannot.
    return text.replace(token, TOKEN_MASK)[:SHOWN_CHARS_MAX].encode(errors="replace").decode()
