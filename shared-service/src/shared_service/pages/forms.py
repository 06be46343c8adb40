"""Reads forms, and knows those that a page of ours sent: by a token that belongs to the caller's session.

tokens = FormTokens(key)
form = parse_form(await read_form_body(scope, receive))
tokens.require(session, form)
"""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from shared_service.http.errors import Refused
from shared_service.http.exchange import BODY_MAX_BYTES, ClientGone
from shared_signing.asgi_messages import BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, read_body, refused_by_head

MEDIA_TYPE: Final = b"application/x-www-form-urlencoded"
FIELDS_MAX: Final = 32
TOKEN_FIELD: Final = "form_token"  # noqa: S105 - a name
EXPIRED: Final = "form_expired"
"""The code for a form without the session's token."""
FOREIGN_SITES: Final = ("cross-site", "same-site")
"""What browsers say of a form that another site's page sent."""


async def read_form_body(scope: Scope, receive: Receive) -> bytes:
    """Read the whole body of a form. Raises ClientGone, Refused(body_too_large or unsupported_media_type)."""
    code = refused_by_head(scope["headers"], BODY_MAX_BYTES)
    if code is not None:
        raise Refused(code)
    content_type = dict(scope["headers"]).get(b"content-type", b"")
    if content_type.partition(b";")[0].strip().lower() != MEDIA_TYPE:
        raise Refused(UNSUPPORTED_MEDIA_TYPE)
    body = await read_body(receive, BODY_MAX_BYTES)
    if body is None:
        raise ClientGone
    if len(body) > BODY_MAX_BYTES:
        raise Refused(BODY_TOO_LARGE)
    return body


def parse_form(body: bytes) -> dict[str, str]:
    """Returns the fields of a form. Raises Refused(malformed_request), also for a field that comes twice."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict",
            max_num_fields=FIELDS_MAX,
        )  # fmt: skip
    except ValueError:
        raise Refused("malformed_request", why="not a form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refused("malformed_request", why="a field comes twice")
    return fields


class FormTokens:
    """Makes and checks the tokens of forms. Nothing is stored."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, session: str) -> str:
        """The token of all forms of a session."""
        return base64.urlsafe_b64encode(hmac.digest(self._key, session.encode(), sha256)).rstrip(b"=").decode()

    def require(self, session: str, form: dict[str, str], *, site: str | None) -> None:
        """Raises Refused(form_expired) for a form that no page of this session sent. `site`: Sec-Fetch-Site."""
        given = form.get(TOKEN_FIELD, "")
        if site in FOREIGN_SITES or not hmac.compare_digest(given.encode(), self.of(session).encode()):
            raise Refused(EXPIRED, why="foreign site" if site in FOREIGN_SITES else "form token")
