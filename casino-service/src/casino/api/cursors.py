"""Cursors of lists: opaque, and good only for the list that made them.

A cursor is an HMAC under the pepper and the place at which the next page begins, which is the list's own text. The HMAC
covers the path and the query (without `limit` and `cursor`), so a cursor of another list or range is none.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final

from starlette.requests import Request

from casino.api.errors import invalid
from casino.api.pepper import mac

PURPOSE: Final = "cursor"
MAC_BYTES: Final = 16
OF_THE_PAGE: Final = frozenset({"limit", "cursor"})


def list_of(request: Request) -> str:
    """Returns what a cursor belongs to: the path and what the query chooses."""
    chosen = sorted((name, value) for name, value in request.query_params.items() if name not in OF_THE_PAGE)
    return f"{request.url.path} {chosen!r}"


def sealed(pepper: bytes, of_list: str, place: str) -> str:
    """Returns the cursor of a place."""
    content = _mac(pepper, of_list, place) + place.encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def opened(pepper: bytes, of_list: str, cursor: str) -> str:
    """Returns the place of a cursor. Raises Refused(INVALID_FIELD) for one that this list did not make."""
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = content[MAC_BYTES:].decode()
    except (binascii.Error, ValueError):
        raise _unknown() from None
    if not hmac.compare_digest(content[:MAC_BYTES], _mac(pepper, of_list, place)):
        raise _unknown()
    return place


def _mac(pepper: bytes, of_list: str, place: str) -> bytes:
    return mac(pepper, PURPOSE, f"{of_list}\n{place}")[:MAC_BYTES]


def _unknown() -> Exception:
    return invalid("cursor", "Expected a `nextCursor` of this list with the same parameters")
