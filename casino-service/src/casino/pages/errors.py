"""Refusals as pages: the codes of both APIs, rendered for people. Without a login they lead to the one that logs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from casino.api.errors import API_ERRORS
from casino.errors import ERRORS
from shared_service.http.errors import Answer, ErrorKind, ErrorTable
from shared_service.pages.forms import EXPIRED
from shared_service.pages.frame import HEADERS, PageFrame

ROWS: Final = (
    *ERRORS.values(),
    *(row for name, row in API_ERRORS.items() if not row.found_as or name == row.found_as),
    ErrorKind(
        EXPIRED.upper(), 403, "loads the page again", "This page was open for too long. Load it again, and repeat"
    ),
)


class PageErrors(ErrorTable):
    """Error answers as pages. `login`, `home`: paths of the console or of the player's pages.

    `enrolment`: where staff enrol for one-time passwords who have to do that first.
    """

    def __init__(self, frame: PageFrame, *, login: str, home: str, enrolment: str | None = None) -> None:
        super().__init__(ROWS)
        self._leads_to = {"TOKEN_MISSING": login, "TOKEN_INVALID": login}
        if enrolment is not None:
            self._leads_to["OTP_ENROLMENT_REQUIRED"] = enrolment
        self._frame = frame
        self._home = home

    def __getitem__(self, code: str) -> ErrorKind:
        """The platform's row before the wire's: its sentences are for people."""
        return self._rows.get(code.upper()) or self._rows[code]

    def render(
        self,
        code: str,
        request_id: str,
        *,
        sentence: str | None = None,
        field: str | None = None,
        retry_after_seconds: int | None = None,
        extras: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Renders the page, or leads to where one logs in or enrols."""
        del field, extras
        kind = self[code]
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        if kind.code in self._leads_to:
            return 303, [*headers, (b"location", self._leads_to[kind.code].encode())], b""
        seconds = kind.retry_after_seconds if retry_after_seconds is None else retry_after_seconds
        if seconds is not None:
            headers.append((b"retry-after", str(seconds).encode()))
        page = self._frame.render(
            "refused.html",
            {"code": kind.code, "sentence": sentence or kind.sentence, "request_id": request_id, "home": self._home},
        )
        return kind.status, [*headers, (b"content-type", b"text/html; charset=utf-8")], page.encode()
