"""Reads days and instants of a query: a day is one of a time zone, an instant has an offset."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from casino.api.errors import invalid
from casino.api.types import InstantIn, to_utc

A_TIME: Final = "Expected a day such as 2026-01-31, or an instant with an offset"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?!\n)$", re.ASCII)


def is_day(text: str) -> bool:
    """Returns whether a text names a day and no instant."""
    return _DATE.match(text) is not None


def read_instant(name: str, text: str, zone: ZoneInfo, *, days: int = 0) -> datetime:
    """Returns an instant in UTC, or the beginning of a local day, `days` after the one that is named.

    Raises Refused(INVALID_FIELD) for the parameter `name`.
    """
    try:
        if is_day(text):
            return start_of(date.fromisoformat(text) + timedelta(days=days), zone).astimezone(UTC)
        return to_utc(msgspec.convert(text, InstantIn))
    except (ValueError, OverflowError, msgspec.ValidationError):
        raise invalid(name, A_TIME) from None


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Returns the beginning of a local day, with its offset."""
    return datetime.combine(day, clock_time(0), zone)
