"""Answers from the head alone: they are complete, come in order, and the request's body is skipped."""

from collections.abc import Iterator

import pytest
from starlette.types import Scope

from shared_service.listener.heads import Answer
from shared_service_testing.echoing import Echo, serving

BODY = b'{"code":"too_much"}'


def refuse_early(scope: Scope) -> Answer | None:
    return (503, [(b"retry-after", b"1")], BODY) if scope["path"] == "/early" else None


@pytest.fixture(scope="module")
def refusing() -> Iterator[Echo]:
    with serving(early_answer=refuse_early) as running:
        yield running


def test_an_answer_to_head_has_no_body(refusing: Echo) -> None:
    with refusing.connected() as wire:
        wire.send(b"HEAD /early HTTP/1.1\r\nhost: x\r\n\r\nGET /p HTTP/1.1\r\nhost: x\r\n\r\n")
        early = wire.answer(to_head=True)
        assert (early.status, early.headers["content-length"], early.headers["retry-after"]) == (
            503,
            str(len(BODY)),
            "1",
        )
        assert wire.answer().content["target"] == "/p"


@pytest.mark.parametrize("offer", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n"])
def test_it_comes_in_its_turn_and_its_body_is_no_request(refusing: Echo, offer: bytes) -> None:
    refusing.asked.clear()
    hidden = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n"
    early = b"POST /early HTTP/1.1\r\nhost: x\r\n" + offer + b"content-length: %d\r\n\r\n" % len(hidden) + hidden
    late = b"GET /p HTTP/1.1\r\nhost: x\r\n\r\n"
    with refusing.connected() as wire:
        wire.send((late + early + early) * 5)
        statuses = [wire.answer().status for _ in range(15)]
        for cut in range(1, len(early)):
            wire.send(early, split_at=cut)
            assert wire.answer().body == BODY
    assert statuses == [200, 503, 503] * 5
    assert refusing.asked == ["/p"] * 5


def test_what_is_malformed_behind_it_ends_the_connection(refusing: Echo) -> None:
    chunked = b"POST /early HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    assert [answer.status for answer in refusing.ask(chunked + b"xyz\r\n")] == [503], "it was answered already"
    assert [answer.status for answer in refusing.ask(chunked + b"0\r\n\r\nGET /p#f HTTP/1.1\r\n\r\n")] == [503, 400]
