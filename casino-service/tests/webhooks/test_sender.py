"""What goes over the network: to judged addresses alone, once, signed, within bounds, without redirects and proxies."""

from __future__ import annotations

import asyncio
import base64
import gzip
import ssl
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks import WebhookVerificationError

from casino.webhooks import sender as sending
from casino.webhooks import signing
from casino.webhooks.addresses import Address, endpoint_of
from casino.webhooks.sender import ANSWER_KEPT_CHARACTERS, ANSWER_MAX_BYTES, Outcome, Sender
from casino_testing.receiver import answer, receiving
from local_stack.certificates import Authority
from shared_service_testing.waiting import until

LOOPBACK: Final = ip_address("127.0.0.1")
PEPPER: Final = b"a pepper of thirty-two bytes, here"
NAMED: Final = "hooks.example"


class Names:
    """A name server: each look-up takes the next answer; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = [list(map(ip_address, each)) for each in answers]
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def sender_of(*, demo: bool = True, **options: Any) -> AsyncIterator[Sender]:
    one = Sender(demo=demo, **options)
    try:
        yield one
    finally:
        one.close()


async def send(one: Sender, url: str, *, demo: bool = True, body: bytes = b"{}") -> Outcome:
    return await one.send(endpoint_of(url, demo=demo), {"content-type": "application/json"}, body)


def test_a_secret_is_derived_and_of_one_webhook() -> None:
    first, second = (signing.secret_of(PEPPER, name) for name in ("a", "b"))
    assert first.startswith("whsec_")
    assert len(first) == len("whsec_") + 44
    assert first != second == signing.secret_of(PEPPER, "b")
    assert signing.secret_of(PEPPER + b"!", "a") != first


async def test_receivers_verify_with_their_own_library() -> None:
    async with receiving() as receiver, sender_of() as one:
        body = signing.body_of("limit.changed", "2026-01-31T23:59:59.123Z", '{"tenantId": "Bücher", "value": 1}')
        at = int(time.time())
        headers = signing.headers_of(PEPPER, "w-1", event_id="e-1", at=at, body=body)
        outcome = await one.send(endpoint_of(receiver.url, demo=True), headers, body)
    assert (outcome.status, outcome.is_success, outcome.error) == (204, True, None)
    (message,) = receiver.messages
    assert message.line == "POST /told HTTP/1.1"
    assert message.headers["host"] == f"127.0.0.1:{receiver.port}"
    content = message.verify(signing.secret_of(PEPPER, "w-1"))
    assert content == {
        "type": "limit.changed", "timestamp": "2026-01-31T23:59:59.123Z", "data": {"tenantId": "Bücher", "value": 1},
    }  # fmt: skip
    with pytest.raises(WebhookVerificationError):
        message.verify(signing.secret_of(PEPPER, "w-2"))


def test_the_published_example_of_standard_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vector of the specification: its secret, id, time and body give its signature."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    monkeypatch.setattr(signing, "_key", lambda *_: key)
    headers = signing.headers_of(
        b"", "", event_id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=1614265330, body=b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"], ["127.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["::1"],
        ["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"], ["fd00:ec2::254", "2606:2800:220:1::1"],
    ],
)  # fmt: skip
async def test_a_name_with_a_private_address_is_refused_before_any_connection(addresses: list[str]) -> None:
    names = Names(addresses)
    async with receiving() as receiver, sender_of(demo=False, resolve=names) as one:
        outcome = await send(one, f"https://{NAMED}:{receiver.port}/", demo=False)
    assert (outcome.status, outcome.error, outcome.is_success) == (None, "ADDRESS_REFUSED", False)
    assert (names.asked, receiver.connections) == ([NAMED], 0)


async def test_an_address_in_the_url_is_judged_by_the_sender_too() -> None:
    """The database may hold what another release let in."""
    async with receiving() as receiver, sender_of(demo=False) as one:
        endpoint = endpoint_of(receiver.url, demo=True)
        for scheme in ("http", "https"):
            outcome = await one.send(sending.Endpoint(scheme, endpoint.host, endpoint.port, "/"), {}, b"")
            assert outcome.error == "ADDRESS_REFUSED"
    assert receiver.connections == 0


async def test_a_name_that_changes_its_address_is_judged_at_every_connection() -> None:
    """DNS rebinding: good when it is asked first, private afterwards."""
    names, connected = Names(["127.0.0.1"], ["10.0.0.1"]), list[Address]()

    def allows(_: str, address: Address) -> bool:
        connected.append(address)
        return address == LOOPBACK

    async with receiving() as receiver, sender_of(resolve=names, allows=allows) as one:
        url = f"http://localhost:{receiver.port}/"
        outcomes = [await send(one, url) for _ in range(2)]
    assert [each.error for each in outcomes] == [None, "ADDRESS_REFUSED"]
    assert [receiver.connections, len(names.asked), len(connected)] == [1, 2, 2]


async def test_the_connection_goes_to_the_judged_address_and_the_name_is_not_asked_again() -> None:
    """`nowhere.localhost` is in no file of hosts: only the address that was judged can have been used."""
    async with receiving() as receiver, sender_of(resolve=Names(["127.0.0.1"])) as one:
        outcome = await send(one, f"http://nowhere.localhost:{receiver.port}/x?y=1")
    assert outcome.is_success
    assert receiver.messages[0].headers["host"] == f"nowhere.localhost:{receiver.port}"
    assert receiver.messages[0].line == "POST /x?y=1 HTTP/1.1"


async def test_a_further_address_is_used_when_the_first_does_not_answer() -> None:
    async with receiving() as receiver, sender_of(resolve=Names(["127.0.0.2", "127.0.0.1"])) as one:
        assert (await send(one, f"http://localhost:{receiver.port}/")).is_success


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    async with receiving() as receiver, receiving() as inside, sender_of() as one:
        receiver.answers.append(answer(status, b"", f"location: {inside.url}"))
        outcome = await send(one, receiver.url)
    assert (outcome.status, outcome.is_success, inside.connections) == (status, False, 0)


async def test_proxies_of_the_environment_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver, receiving() as proxy, sender_of() as one:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await send(one, receiver.url)).is_success
    assert proxy.connections == 0


async def test_an_answer_is_read_up_to_its_bound_and_kept_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver, sender_of() as one:
        receiver.answers.append(answer(500, b"a\0b\xff" + b"x" * 10_000))
        outcome = await send(one, receiver.url)
        assert outcome.body is not None
        assert (outcome.body[:4], len(outcome.body)) == ("a�b�", ANSWER_KEPT_CHARACTERS)
        receiver.answers.append(b"HTTP/1.1 200 OK\r\n\r\n")
        receiver.drip = b"x" * (ANSWER_MAX_BYTES // 4)
        assert (await send(one, receiver.url)).is_success, "what has no end is read to the bound, and left"


@pytest.mark.parametrize(
    ("status", "headers", "waits"),
    [
        (429, ["retry-after: 17"], 17), (503, ["Retry-After: 0"], 0), (503, ["retry-after: 999999999"], 86_400),
        (500, ["retry-after: 17"], None), (200, ["retry-after: 17"], None), (429, [], None),
        (429, ["retry-after: -1"], None), (429, ["retry-after: 1", "retry-after: 2"], None),
        (429, ["retry-after: Wed, 21 Oct 2099 07:28:00 GMT"], None), (429, ["retry-after: 1" + "0" * 5_000], None),
    ],
)  # fmt: skip
async def test_how_long_a_receiver_asks_to_wait(status: int, headers: list[str], waits: int | None) -> None:
    async with receiving() as receiver, sender_of() as one:
        receiver.answers.append(answer(status, b"", *headers))
        outcome = await send(one, receiver.url)
    assert (outcome.status, outcome.retry_after) == (status, waits)


async def test_a_compressed_answer_is_not_unpacked() -> None:
    async with receiving() as receiver, sender_of() as one:
        receiver.answers.append(answer(200, gzip.compress(b"\0" * 10_000_000), "content-encoding: gzip"))
        outcome = await send(one, receiver.url)
    assert outcome.is_success
    assert outcome.body is not None
    assert outcome.body[0] == "\x1f"


async def test_a_receiver_that_hangs_or_drips_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS_MAX", 0.3)
    async with receiving() as receiver, sender_of() as one:
        hanging = receiver.hang = asyncio.Event()
        assert (await send(one, receiver.url)).error == "TIMEOUT"
        receiver.hang = None
        receiver.answers.append(b"HTTP/1.1 200 OK\r\nx: ")
        receiver.drip = b"x"
        assert (await send(one, receiver.url)).error == "TIMEOUT", "a head without an end is no answer"
        receiver.answers.append(b"HTTP/1.1 200 OK\r\n\r\n")
        assert (await send(one, receiver.url)).is_success, "the status came in time"
        hanging.set()
        await until(lambda: all(each.is_closing() for each in receiver.writers), "every connection is closed")


async def test_a_name_server_that_hangs_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS_MAX", 0.3)

    async def never(host: str, port: int) -> list[Address]:
        await asyncio.Event().wait()
        return []

    async with sender_of(resolve=never) as one:
        assert (await send(one, "https://hooks.example/")).error == "TIMEOUT"


async def test_a_name_server_that_hangs_holds_one_thread_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the tries of one webhook would take every thread that the others need."""
    monkeypatch.setattr(sending, "SECONDS_MAX", 0.2)
    asked, answers = list[str](), threading.Event()

    def hangs(host: str, port: int) -> list[Address]:
        asked.append(host)
        if host == "slow.localhost":
            answers.wait(60)
        return [LOOPBACK]

    monkeypatch.setattr(sending, "look_up", hangs)
    async with receiving() as receiver, sender_of() as one:
        tries = [send(one, f"http://slow.localhost:{receiver.port}/") for _ in range(20)]
        assert {each.error for each in await asyncio.gather(*tries)} == {"TIMEOUT"}
        assert (await send(one, f"http://localhost:{receiver.port}/")).is_success
        assert asked == ["slow.localhost", "localhost"]
        answers.set()
        monkeypatch.setattr(sending, "SECONDS_MAX", 10.0)
        assert (await send(one, f"http://slow.localhost:{receiver.port}/")).is_success


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"x" * 200_000])
async def test_what_is_no_answer(said: bytes) -> None:
    async with receiving() as receiver, sender_of() as one:
        receiver.answers.append(said)
        outcome = await send(one, receiver.url)
    assert (outcome.status, outcome.error) == (None, "NO_ANSWER")


async def test_nobody_there_and_no_such_name() -> None:
    async with receiving() as receiver:
        url = receiver.url
    async with sender_of() as one:
        assert (await send(one, url)).error == "NOT_CONNECTED"
        one_without_names = Names([])
    async with sender_of(resolve=one_without_names) as one:
        assert (await send(one, "https://hooks.example/")).error == "NAME_NOT_FOUND"


async def test_over_tls_the_name_is_proved_though_the_connection_goes_to_an_address(tmp_path: Path) -> None:
    authority = Authority()
    good, other = (served(authority, tmp_path, name) for name in (NAMED, "other.example"))
    options: dict[str, Any] = {
        "resolve": Names(["127.0.0.1"]), "allows": lambda *_: True, "trust": authority.client_context()
    }  # fmt: skip
    async with receiving(good) as receiver, receiving(other) as stranger, sender_of(**options) as one:
        assert (await send(one, f"https://{NAMED}:{receiver.port}/")).is_success
        assert receiver.messages[0].headers["host"] == f"{NAMED}:{receiver.port}"
        assert (await send(one, f"https://{NAMED}:{stranger.port}/")).error == "TLS_FAILED"
    options["trust"] = None
    async with receiving(good) as receiver, sender_of(**options) as one:
        assert (await send(one, f"https://{NAMED}:{receiver.port}/")).error == "TLS_FAILED", "an unknown authority"


def served(authority: Authority, folder: Path, name: str) -> ssl.SSLContext:
    certificate, key = authority.issue(folder / name, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_the_resolver_of_the_machine() -> None:
    async with sender_of() as one:
        found = await one._look_up("localhost", 80)
        assert found
        assert all(isinstance(each, IPv4Address | IPv6Address) and each.is_loopback for each in found)
        assert await one._look_up("nowhere.invalid", 80) == []


async def test_two_answers_at_once_are_no_answer_to_the_next_message() -> None:
    """Webhooks of two tenants may have one host and port: what one is answered is never taken for the other's."""
    async with receiving() as receiver, sender_of() as one:
        receiver.answers += [answer(200, b"mine") + answer(200, b"forged"), answer(500, b"yours")]
        mine, yours = [await send(one, receiver.url) for _ in range(2)]
    assert [(mine.status, mine.body), (yours.status, yours.body)] == [(200, "mine"), (500, "yours")]


async def test_a_receiver_that_closes_after_its_answer_fails_no_other_message() -> None:
    async with receiving() as receiver, sender_of() as one:
        receiver.closes = True
        for _ in range(10):
            assert (await send(one, receiver.url)).is_success
        outcomes = await asyncio.gather(*(send(one, receiver.url) for _ in range(10)))
    assert all(each.is_success for each in outcomes)


async def test_every_try_has_a_connection_of_its_own() -> None:
    async with receiving() as receiver, sender_of() as one:
        for _ in range(3):
            assert (await send(one, receiver.url)).is_success
    assert (receiver.connections, len(receiver.messages)) == (3, 3)
    assert {each.headers["connection"] for each in receiver.messages} == {"close"}


async def test_a_handshake_that_hangs_leaves_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS_MAX", 0.3)
    async with receiving() as receiver, sender_of(resolve=Names(["127.0.0.1"]), allows=lambda *_: True) as one:
        outcome = await send(one, f"https://{NAMED}:{receiver.port}/")
        assert outcome.error == "TIMEOUT"
        await until(receiver.writers[0].is_closing, "the connection is closed")
