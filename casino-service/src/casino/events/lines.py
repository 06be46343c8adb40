"""Reads the lines of a file of events: docs/events.md has the format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from casino.money import CURRENCY

LINE_MAX_BYTES: Final = 65_536
AMOUNT_MAX: Final = 2**63 - 1
YEARS: Final = range(1970, 9_999)
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

EventType = Literal[
    "LOGIN", "BET", "WIN", "ROLLBACK", "DEPOSIT", "WITHDRAW", "CASHOUT", "VOUCHER_ISSUED", "VOUCHER_REDEEMED",
    "VOUCHER_EXPIRED", "VOUCHER_VOIDED", "BONUS_GRANTED", "BONUS_FORFEITED", "JACKPOT_CONTRIBUTION", "JACKPOT_WON",
    "SAFETY_ACTION", "LIMIT_CHANGED", "ERROR",
]  # fmt: skip
Text = Annotated[str, Meta(max_length=512)]
Key = Annotated[str, Meta(min_length=1, max_length=512)]


class EventLine(msgspec.Struct, rename="camel", kw_only=True):
    """One event. The order of the fields is that of `COLUMNS`. Other members of a line are ignored."""

    tenant_id: Key
    type: EventType
    action_id: Key
    at: Annotated[datetime, Meta(tz=True)]
    player_id: Text | None = None
    session_id: Text | None = None
    round_id: Text | None = None
    game_key: Text | None = None
    provider: Text | None = None
    region: Text | None = None
    agent_id: Text | None = None
    cashier_id: Text | None = None
    amount_minor: Annotated[int, Meta(ge=0, le=AMOUNT_MAX)] | None = None
    currency: str | None = None
    code: Text | None = None
    route: Text | None = None


_decode: Final = msgspec.json.Decoder(EventLine).decode


class BadLine(Exception):  # noqa: N818 - an answer, not a defect
    """The line is no event. The text says why."""


def numbered_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """The lines that are not empty, with their numbers. None for a line that is too long, which is never held whole."""
    number = 0
    while line := file.readline(LINE_MAX_BYTES + 1):
        number += 1
        is_too_long = len(line) > LINE_MAX_BYTES
        while is_too_long and line and not line.endswith(b"\n"):
            line = file.readline(LINE_MAX_BYTES)
        text = None if is_too_long else line.removeprefix(BYTE_ORDER_MARK if number == 1 else b"").strip()
        if text != b"":
            yield number, text


def read_event(text: bytes | None, currencies: Mapping[str, str]) -> tuple[Any, ...]:
    """Returns the values of the event. `currencies` has the currency of each tenant. Raises BadLine."""
    if text is None:
        raise BadLine(f"longer than {LINE_MAX_BYTES} bytes")
    try:
        line = _decode(text)
    except msgspec.MsgspecError as error:
        raise BadLine(str(error)) from None
    if line.tenant_id not in currencies:
        raise BadLine("tenantId is no tenant of this ledger")
    if line.at.year not in YEARS:
        raise BadLine(f"at lies outside the years {YEARS.start} to {YEARS.stop - 1}")
    line.at = line.at.astimezone(UTC)
    line.amount_minor = line.amount_minor or 0
    line.currency = currencies[line.tenant_id] if line.currency is None else line.currency
    if CURRENCY.fullmatch(line.currency) is None:
        raise BadLine("currency must be 3 to 8 capital letters and digits")
    values = msgspec.structs.astuple(line)
    if any(isinstance(value, str) and "\0" in value for value in values):
        raise BadLine("a text contains the character U+0000")
    return values
