"""The error table: the content of the answers."""

from __future__ import annotations

import json

from shared_service.http.errors import ErrorKind, ErrorTable

ERRORS = ErrorTable(
    [ErrorKind("wrong", 400, "stops", "Wrong"), ErrorKind("overloaded", 503, "waits", "Busy", retry_after_seconds=1)]
)


def test_an_answer_has_the_status_of_its_row_and_the_members_of_every_error() -> None:
    status, headers, body = ERRORS.render("wrong", "r-1", field="userId")
    assert (status, headers) == (400, [(b"content-type", b"application/json")])
    assert json.loads(body) == {"error": "Wrong", "code": "wrong", "requestId": "r-1", "field": "userId"}


def test_a_row_says_when_to_come_back_unless_the_refusal_knows_better() -> None:
    assert dict(ERRORS.render("overloaded", "r-1")[1])[b"retry-after"] == b"1"
    assert dict(ERRORS.render("overloaded", "r-1", retry_after_seconds=7)[1])[b"retry-after"] == b"7"


def test_further_members_are_rendered_beside_the_error() -> None:
    assert json.loads(ERRORS.render("wrong", "r-1", extras={"serverTime": 1763690000})[2])["serverTime"] == 1763690000


def test_an_answer_does_not_share_its_headers_with_the_next() -> None:
    ERRORS.render("wrong", "a")[1].append((b"x", b"y"))
    assert (b"x", b"y") not in ERRORS.render("wrong", "b")[1]
