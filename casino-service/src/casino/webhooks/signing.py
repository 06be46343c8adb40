"""Signs what webhooks are sent, as Standard Webhooks says: HMAC-SHA256 over id, time and body.

A webhook's secret is derived from the pepper and its id, and stored nowhere.
"""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256
from typing import Final

from casino.api.pepper import mac

PURPOSE: Final = "webhook"
PREFIX: Final = "whsec_"


def secret_of(pepper: bytes, webhook_id: str) -> str:
    """Returns a webhook's secret, as its receiver keeps it: `whsec_` and 32 bytes in base64."""
    return PREFIX + base64.b64encode(_key(pepper, webhook_id)).decode()


def headers_of(pepper: bytes, webhook_id: str, *, event_id: str, at: int, body: bytes) -> dict[str, str]:
    """Returns the headers that identify and sign a message. `at`: seconds since 1970."""
    digest = hmac.digest(_key(pepper, webhook_id), f"{event_id}.{at}.".encode() + body, sha256)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def body_of(kind: str, told_at: str, data: str) -> bytes:
    """Returns a message's body: the same bytes at every try. `data` is JSON."""
    return f'{{"type":"{kind}","timestamp":"{told_at}","data":{data}}}'.encode()


def _key(pepper: bytes, webhook_id: str) -> bytes:
    return mac(pepper, PURPOSE, webhook_id)
