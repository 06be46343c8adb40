"""The httpx client's signatures and verdicts, for answers of every kind and with the ASGI middleware."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from shared_signing.canonical import SignatureHeader, request_bytes
from shared_signing.httpx_auth import SignedAuth
from shared_signing.keys import Key, KeyRing, NoLiveKey
from shared_signing.signer import Signer

HEADER = "x-casino-signature"
URL = "http://casino.test"


def auth_of(peers: Any) -> SignedAuth:
    return SignedAuth(peers.signer, peers.ring, "X-Casino-Signature", clock=peers.clock)


def signature_for(peers: Any, request: httpx.Request, status: int, body: bytes, key_id: str = "k2") -> str:
    """The header of a correctly signed answer."""
    nonce = SignatureHeader.parse(request.headers[HEADER]).nonce
    key = peers.ring.verifying_key(key_id, peers.clock.now)
    signature: str = peers.signer.sign_response(nonce=nonce, status=status, body=body, key=key)
    return signature


def ask(
    peers: Any, answer: Callable[[httpx.Request], httpx.Response], url: str = URL, **options: Any
) -> httpx.Response:
    with httpx.Client(transport=httpx.MockTransport(answer), auth=auth_of(peers)) as client:
        return client.post(url, **options)


@pytest.mark.parametrize("status", [200, 201, 400, 401, 402, 404, 500, 503])
def test_a_signed_answer_of_any_status_is_good(peers: Any, status: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=b"{}", headers={HEADER: signature_for(peers, request, status, b"{}")})

    response = ask(peers, answer)
    assert (response.status_code, response.extensions["signature"]) == (status, "good")


def test_an_answer_under_an_older_live_key_is_good(peers: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={HEADER: signature_for(peers, request, 200, b"", "main")})

    assert ask(peers, answer).extensions["signature"] == "good"


def test_the_name_of_the_header_may_come_in_any_letters(peers: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"X-CASINO-Signature": signature_for(peers, request, 200, b"")})

    assert ask(peers, answer).extensions["signature"] == "good"


def test_an_answer_without_a_signature_is_missing_one(peers: Any) -> None:
    assert ask(peers, lambda request: httpx.Response(503)).extensions["signature"] == "missing"


Forgery = Callable[[Any, httpx.Request], httpx.Response]
FORGERIES: dict[str, Forgery] = {
    "another body": lambda h, r: httpx.Response(200, content=b"{ }", headers={HEADER: signature_for(h, r, 200, b"{}")}),
    "another status": lambda h, r: httpx.Response(200, headers={HEADER: signature_for(h, r, 402, b"")}),
    "the request's own signature": lambda h, r: httpx.Response(200, headers={HEADER: r.headers[HEADER]}),
    "not a signature": lambda h, r: httpx.Response(200, headers={HEADER: "t=1,n=é".encode()}),
    "an empty signature": lambda h, r: httpx.Response(200, headers={HEADER: ""}),
    "two good signatures": lambda h, r: httpx.Response(200, headers=[(HEADER, signature_for(h, r, 200, b""))] * 2),
    "another request's nonce": lambda h, r: httpx.Response(
        200, headers={HEADER: h.signer.sign_response(nonce="n" * 32, status=200, body=b"", key=h.ring.signing_key(0))}
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_signature_that_does_not_hold_is_bad_and_raises_nothing(peers: Any, name: str) -> None:
    assert ask(peers, lambda request: FORGERIES[name](peers, request)).extensions["signature"] == "bad"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (URL, "/"),
        (f"{URL}/casino/transactions?after=0&limit=100", "/casino/transactions?after=0&limit=100"),
        (f"{URL}/casino/a%2Fb%2fc", "/casino/a%2Fb%2fc"),
        (f"{URL}/casino/a b?é=ü#part", "/casino/a%20b?%C3%A9=%C3%BC"),
        (f"{URL}/x?y=a+b?c/d", "/x?y=a+b?c/d"),
        (f"{URL}//x/", "//x/"),
    ],
)
def test_the_target_is_signed_as_it_goes_on_the_wire(peers: Any, url: str, target: str) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    ask(peers, answer, url, content=b"body")
    header = SignatureHeader.parse(seen[0].headers[HEADER])
    assert seen[0].url.raw_path == target.encode()
    text = request_bytes(timestamp=1_763_690_000, nonce=header.nonce, method="POST", target=target, body=b"body")
    assert header.mac == peers.ring.signing_key(0).mac(text)
    assert seen[0].headers["accept-encoding"] == "identity"


async def test_parameters_given_apart_from_the_url_are_signed_too(peers: Any) -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": scope["query_string"]})

    transport = httpx.ASGITransport(peers.edge(echo))
    async with httpx.AsyncClient(transport=transport, base_url=URL, auth=auth_of(peers)) as client:
        response = await client.get("/casino/transactions", params={"after": "a/b c", "limit": 1})
    assert (response.status_code, response.text) == (200, "after=a%2Fb+c&limit=1")
    assert response.extensions["signature"] == "good"


@pytest.mark.parametrize(
    "options",
    [{"json": {"a": "é 漢"}}, {"content": b"\xff\x00"}, {"data": {"a": "b"}}, {"content": iter([b"a", b"b"])}, {}],
    ids=["json", "bytes", "form", "stream", "empty"],
)
def test_the_body_is_signed_whatever_it_was_made_from(peers: Any, options: dict[str, Any]) -> None:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        header = SignatureHeader.parse(request.headers[HEADER])
        body = request.read()
        bodies.append(body)
        text = request_bytes(timestamp=1_763_690_000, nonce=header.nonce, method="POST", target="/", body=body)
        assert header.mac == peers.ring.signing_key(0).mac(text)
        return httpx.Response(200, content=body, headers={HEADER: signature_for(peers, request, 200, body)})

    assert ask(peers, answer, **options).extensions["signature"] == "good"
    assert len(bodies) == 1


async def test_every_request_of_a_client_has_its_own_nonce_and_its_own_verdict(peers: Any) -> None:
    async def hello(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": (await receive())["body"]})

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(peers.edge(hello))
        async with httpx.AsyncClient(transport=transport, base_url=URL, auth=auth_of(peers)) as client:
            return await asyncio.gather(*(client.post("/casino/debit", content=b"%d" % n) for n in range(50)))

    responses = await run()
    assert {response.extensions["signature"] for response in responses} == {"good"}
    assert len({response.request.headers[HEADER] for response in responses}) == 50
    assert [response.content for response in responses] == [b"%d" % n for n in range(50)]


async def test_a_refused_request_gets_an_answer_that_is_missing_its_signature(peers: Any) -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("reached")

    transport = httpx.ASGITransport(peers.edge(never))
    stranger = SignedAuth(Signer(KeyRing([Key("main", b"guess")]), clock=peers.clock), peers.ring, HEADER)
    async with httpx.AsyncClient(transport=transport, base_url=URL, auth=stranger) as client:
        response = await client.post("/casino/debit")
    assert (response.status_code, response.text) == (401, "bad_signature")
    assert response.extensions["signature"] == "missing"


def test_an_answer_that_a_proxy_compressed_is_judged_by_what_it_contains(peers: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        headers = {HEADER: signature_for(peers, request, 200, b"{}"), "content-encoding": "gzip"}
        return httpx.Response(200, content=gzip.compress(b"{}"), headers=headers)

    assert ask(peers, answer).extensions["signature"] == "good"


def test_an_answer_that_cannot_be_delivered_stays_the_error_of_the_transport(peers: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("no answer")

    with pytest.raises(httpx.ConnectTimeout):
        ask(peers, answer)


def test_without_a_live_key_nothing_is_sent(peers: Any) -> None:
    peers.ring.replace([Key("main", b"ended", peers.clock.now)])
    with pytest.raises(NoLiveKey):
        ask(peers, lambda request: httpx.Response(200))
