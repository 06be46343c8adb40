"""A service's error answers: the table of its codes, and the rendering of a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from shared_signing.asgi_messages import Answer

__all__ = ("JSON_HEADERS", "Answer", "ErrorKind", "ErrorTable", "Refused")

JSON_HEADERS: Final = ((b"content-type", b"application/json"),)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row. `advice` says what the caller does; `sentence` is the default text for a person."""

    code: str
    status: int
    advice: str
    sentence: str
    retry_after_seconds: int | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the body, which each answer with this code has."""
    found_as: str = ""
    """Under which name the row is found, where another row has the same code with another status."""


class Refused(Exception):  # noqa: N818 - an answer, not a defect
    """Answers the request with the row of `code`. `field` names the wrong field; `sentence` replaces the row's."""

    def __init__(
        self,
        code: str,
        *,
        field: str | None = None,
        sentence: str | None = None,
        why: str | None = None,
        retry_after_seconds: int | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        extras: Mapping[str, Any] | None = None,
    ) -> None:
        """`why` is a short cause for the log, without a value of the request. The answer does not contain it.

        `extras` are further members of the body, in the place of the row's.
        """
        super().__init__(code)
        self.code = code
        self.field = field
        self.sentence = sentence
        self.why = why
        self.retry_after_seconds = retry_after_seconds
        self.headers = headers
        self.extras = extras


class ErrorTable(Mapping[str, ErrorKind]):
    """All error answers of one service, by code."""

    def __init__(self, rows: Iterable[ErrorKind]) -> None:
        self._rows: Final = {row.found_as or row.code: row for row in rows}

    def __getitem__(self, code: str) -> ErrorKind:
        return self._rows[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def content(self, kind: ErrorKind, sentence: str, request_id: str) -> dict[str, Any]:
        """What each answer's body has. A table of other answers overrides this."""
        return {"error": sentence, "code": kind.code, "requestId": request_id}

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
        """Renders the error answer for `code`. `extras` are further members of the body, in the place of the row's."""
        kind = self[code]
        content = self.content(kind, sentence or kind.sentence, request_id)
        if field is not None:
            content["field"] = field
        content.update(kind.extras if extras is None else extras)
        headers = list(JSON_HEADERS)
        seconds = kind.retry_after_seconds if retry_after_seconds is None else retry_after_seconds
        if seconds is not None:
            headers.append((b"retry-after", str(seconds).encode()))
        return kind.status, headers, _encode(content)
