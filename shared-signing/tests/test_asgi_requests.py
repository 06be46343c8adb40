"""The ASGI middleware and requests: what reaches the application, and what is refused before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared_signing.nonces import InMemoryNonceStore, NonceStoreOverloaded

SIGNATURE = b"x-casino-signature"


class Wallet:
    """An application that answers with the request it received, and counts its calls."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.states: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert message["more_body"] is False
        self.bodies.append(message["body"])
        self.states.append(scope.get("state"))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"got " + message["body"]})


class FullStore:
    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        raise NonceStoreOverloaded("full")


def chunks(*parts: bytes, end: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    return [*messages, end if end is not None else {"type": "http.request"}]


async def test_a_request_that_holds_reaches_the_application_with_its_key_named(peers: Any, send_to: Any) -> None:
    wallet = Wallet()
    headers, nonce = peers.sign(body=b"{}")
    answer = await send_to(peers.edge(wallet), headers=headers, body=b"{}")
    assert (answer.status, answer.body) == (200, b"got {}")
    assert peers.believes(answer, nonce)
    assert wallet.states == [{"body": b"{}", "signed_by": "k2", "peer": "", "clock_skew_seconds": 0}]


async def test_what_the_server_keeps_in_the_state_stays_there(peers: Any, send_to: Any) -> None:
    wallet = Wallet()
    headers, _ = peers.sign()
    await send_to(peers.edge(wallet), headers=headers, scope={"state": {"pool": 1}})
    assert wallet.states == [
        {"pool": 1, "body": wallet.bodies[0], "signed_by": "k2", "peer": "", "clock_skew_seconds": 0}
    ]


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_scopes_other_than_http_pass_with_the_very_same_objects(peers: Any, kind: str) -> None:
    seen: list[Any] = []

    async def app(*arguments: Any) -> None:
        seen.extend(arguments)

    scope, receive, send = {"type": kind, "path": "/casino/debit"}, object(), object()
    await peers.edge(app)(scope, receive, send)
    assert [id(argument) for argument in seen] == [id(scope), id(receive), id(send)]


@pytest.mark.parametrize(
    "target",
    ["/casino/transactions?after=0&limit=100", "/casino/transactions/a%2Fb%20c?userId=%31", "/casino//x/../y;z?a=b?c"],
)
async def test_the_raw_target_with_its_query_is_what_is_verified(peers: Any, send_to: Any, target: str) -> None:
    headers, nonce = peers.sign("GET", target)
    answer = await send_to(peers.edge(Wallet()), "GET", target, headers=headers)
    assert answer.status == 200
    assert peers.believes(answer, nonce)
    changed = target.replace("%2F", "/").replace("100", "101").replace("..", ".")
    headers, _ = peers.sign("GET", target)
    assert (await send_to(peers.edge(Wallet()), "GET", changed, headers=headers)).body == b"bad_signature"


async def test_a_bare_question_mark_is_not_part_of_the_target(peers: Any, send_to: Any) -> None:
    headers, _ = peers.sign("GET", "/casino/x")
    assert (await send_to(peers.edge(Wallet()), "GET", "/casino/x?", headers=headers)).status == 200
    headers, _ = peers.sign("GET", "/casino/x?")
    answer = await send_to(peers.edge(Wallet()), "GET", "/casino/x?", headers=headers)
    assert answer.body == b"bad_signature"


async def test_a_server_that_hides_the_raw_path_is_an_error_of_the_installation(peers: Any, send_to: Any) -> None:
    headers, _ = peers.sign()
    with pytest.raises(RuntimeError, match="raw_path"):
        await send_to(peers.edge(Wallet()), headers=headers, scope={"raw_path": None})


REFUSALS: dict[str, Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]] = {
    "signature_missing": lambda good: [(b"x-provider-signature", good[0][1])],
    "signature_malformed": lambda good: good * 2,
    "unknown_key": lambda good: [(SIGNATURE, good[0][1].replace(b"k=k2", b"k=k9"))],
    "bad_signature": lambda good: [(SIGNATURE, good[0][1][:-64] + b"0" * 64)],
}


@pytest.mark.parametrize("code", REFUSALS)
async def test_a_request_that_does_not_hold_is_refused_unsigned_and_unseen(peers: Any, send_to: Any, code: str) -> None:
    wallet = Wallet()
    headers, _ = peers.sign(body=b"{}")
    answer = await send_to(peers.edge(wallet), headers=REFUSALS[code](headers), body=b"{}")
    assert (answer.status, answer.body) == (401, code.encode())
    assert answer.headers == [(b"content-type", b"text/plain"), (b"content-length", str(len(code)).encode())]
    assert wallet.bodies == []


async def test_a_request_out_of_the_window_is_told_the_time_of_the_server_signed(peers: Any, send_to: Any) -> None:
    headers, nonce = peers.sign()
    peers.clock.now += 61
    answer = await send_to(peers.edge(Wallet()), headers=headers)
    assert (answer.status, answer.body) == (401, b"timestamp_out_of_window {'serverTime': 1763690061}")
    assert peers.believes(answer, nonce)


@pytest.mark.parametrize("method", ["POST", "HEAD"])
async def test_what_was_signed_of_a_refusal_is_what_is_sent(peers: Any, send_to: Any, method: str) -> None:
    headers, nonce = peers.sign(method)
    peers.clock.now -= 61
    answer = await send_to(peers.edge(Wallet()), method, headers=headers)
    assert (answer.status, bool(answer.body)) == (401, method != "HEAD")
    assert peers.believes(answer, nonce)


async def test_a_replay_is_refused_signed_for_the_nonce_that_it_carries(peers: Any, send_to: Any) -> None:
    """Anybody with a recorded request can get this answer. So it does not prove that nothing was done."""
    wallet = Wallet()
    edge = peers.edge(wallet)
    headers, nonce = peers.sign()
    first, second = [await send_to(edge, headers=headers) for _ in range(2)]
    assert peers.believes(first, nonce)
    assert (second.status, second.body) == (401, b"nonce_replay")
    assert peers.believes(second, nonce)
    assert not peers.believes(second, "another-nonce-16")
    assert len(wallet.bodies) == 1


@pytest.mark.parametrize("moved", [30, 31, -31])
async def test_a_clock_that_is_far_off_is_reported_once_per_request(peers: Any, send_to: Any, moved: int) -> None:
    headers, _ = peers.sign()
    peers.clock.now += moved
    assert (await send_to(peers.edge(Wallet()), headers=headers)).status == 200
    assert peers.skews == ([("k2", moved)] if abs(moved) > 30 else [])


@pytest.mark.parametrize("moved", [0, 7, -31])
async def test_the_clock_of_every_request_that_holds_is_told(peers: Any, send_to: Any, moved: int) -> None:
    headers, _ = peers.sign()
    peers.clock.now += moved
    told: list[int] = []
    edge = peers.edge(Wallet(), on_clock=told.append)
    assert (await send_to(edge, headers=headers)).status == 200
    assert (await send_to(edge, headers=headers)).status == 401
    assert told == [moved]
    peers.clock.now += 1_000
    assert (await send_to(edge, headers=headers)).status == 401
    assert told == [moved, moved + 1_000]


async def test_a_store_that_cannot_answer_makes_an_unsigned_refusal_and_nothing_happens(
    peers: Any, send_to: Any
) -> None:
    wallet = Wallet()
    headers, _ = peers.sign()
    answer = await send_to(peers.edge(wallet, nonces=FullStore()), headers=headers)
    assert (answer.status, answer.body, answer.all(SIGNATURE)) == (503, b"overloaded", [])
    assert wallet.bodies == []


@pytest.mark.parametrize("declared", [b"65537", b"99999999999999999999", b"9" * 5000, b"0" * 5000 + b"1"])
async def test_a_declared_body_over_the_bound_is_refused_before_it_is_read(
    peers: Any, send_to: Any, declared: bytes
) -> None:
    headers, _ = peers.sign()
    edge = peers.edge(Wallet())
    answer = await send_to(edge, headers=[*headers, (b"content-length", declared)], incoming=[])
    assert (answer.status, answer.body) == (413, b"body_too_large")


@pytest.mark.parametrize("declared", [b"10", b"65536", b"abc", b"-1", b"1e9", b"\xb2", b""])
async def test_whatever_was_declared_no_more_than_the_bound_is_read(peers: Any, send_to: Any, declared: bytes) -> None:
    headers, _ = peers.sign()
    incoming = chunks(b"x" * 65_536, b"y", b"never read", b"never read")
    edge = peers.edge(Wallet())
    answer = await send_to(edge, headers=[*headers, (b"content-length", declared)], incoming=incoming)
    assert (answer.status, answer.body, answer.all(SIGNATURE)) == (413, b"body_too_large", [])
    assert answer.unread == 3


async def test_a_body_of_one_piece_over_the_bound_is_refused(peers: Any, send_to: Any) -> None:
    headers, _ = peers.sign(body=b"x" * 11)
    answer = await send_to(peers.edge(Wallet(), max_body_bytes=10), headers=headers, body=b"x" * 11)
    assert answer.body == b"body_too_large"


@pytest.mark.parametrize("pieces", [[b"x" * 65_536], [b"x" * 65_535, b"", b"x"], [b"x"] * 1000])
async def test_a_body_in_pieces_within_the_bound_arrives_whole(peers: Any, send_to: Any, pieces: list[bytes]) -> None:
    wallet = Wallet()
    headers, nonce = peers.sign(body=b"".join(pieces))
    answer = await send_to(peers.edge(wallet), headers=headers, incoming=chunks(*pieces))
    assert peers.believes(answer, nonce)
    assert wallet.bodies == [b"".join(pieces)]


@pytest.mark.parametrize(
    "coding", [[b"gzip"], [b"identity", b"gzip"], [b"gzip", b"identity"], [b"", b"br"], [b"identity, gzip"], [b"x"]]
)
async def test_a_coded_body_is_refused_before_it_is_read(peers: Any, send_to: Any, coding: list[bytes]) -> None:
    headers, _ = peers.sign()
    headers += [(b"content-encoding", value) for value in coding]
    answer = await send_to(peers.edge(Wallet()), headers=headers, incoming=[])
    assert (answer.status, answer.body, answer.all(SIGNATURE)) == (415, b"unsupported_media_type", [])


async def test_white_space_around_a_header_value_is_not_part_of_it(peers: Any, send_to: Any) -> None:
    headers, _ = peers.sign()
    padded = [(SIGNATURE, b" \t" + headers[0][1] + b"\t "), (b"content-length", b" 99999 ")]
    assert (await send_to(peers.edge(Wallet()), headers=padded[:1])).status == 200
    assert (await send_to(peers.edge(Wallet()), headers=padded, incoming=[])).status == 413


@pytest.mark.parametrize("coding", [b"identity", b" Identity ", b""])
async def test_no_coding_by_its_name_is_no_coding(peers: Any, send_to: Any, coding: bytes) -> None:
    headers, _ = peers.sign()
    answer = await send_to(peers.edge(Wallet()), headers=[*headers, (b"content-encoding", coding)])
    assert answer.status == 200


@pytest.mark.parametrize("arrived", [[], [b"{"], [b"{", b"}"]])
async def test_a_caller_that_hangs_up_gets_nothing_and_its_nonce_stays_unused(
    peers: Any, send_to: Any, arrived: list[bytes]
) -> None:
    wallet, nonces = Wallet(), InMemoryNonceStore(clock=peers.clock)
    headers, nonce = peers.sign(body=b"{}")
    edge = peers.edge(wallet, nonces=nonces)
    incoming = chunks(*arrived, end={"type": "http.disconnect"})
    assert (await send_to(edge, headers=headers, incoming=incoming)).messages == []
    assert wallet.bodies == []
    answer = await send_to(edge, headers=headers, body=b"{}")
    assert peers.believes(answer, nonce)


async def test_after_the_body_the_application_hears_what_the_server_says(peers: Any, send_to: Any) -> None:
    heard: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])

    headers, _ = peers.sign(body=b"{}")
    incoming = [{"type": "http.request", "body": b"{}"}, {"type": "http.disconnect"}]
    await send_to(peers.edge(app), headers=headers, incoming=incoming)
    assert heard == ["http.request", "http.disconnect"]
