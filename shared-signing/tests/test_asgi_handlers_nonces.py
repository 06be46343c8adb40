"""Handlers that claim their request's nonce themselves: what the middleware sends, and what it claims for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from shared_signing.asgi_messages import send_answer
from shared_signing.nonces import HandlersNonce, InMemoryNonceStore, NonceState, NonceStoreOverloaded

NONCE = "n" * 16


class Handler:
    """Leaves the nonce in a state, and answers with a status."""

    def __init__(self, state: NonceState, status: int) -> None:
        self.state = state
        self.status = status
        self.gate = asyncio.Event()
        self.gate.set()
        self.called = asyncio.Event()
        self.calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        self.called.set()
        nonce: HandlersNonce = scope["state"]["nonce"]
        assert (nonce.nonce, nonce.state) == (NONCE, NonceState.OPEN)
        await self.gate.wait()
        nonce.state = self.state
        await send_answer(send, (self.status, [], b"what the handler says"))


class FullStore(InMemoryNonceStore):
    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        raise NonceStoreOverloaded("full")


@pytest.fixture
def store(clock: Any) -> InMemoryNonceStore:
    return InMemoryNonceStore(clock=clock)


async def serve(peers: Any, send_to: Callable[..., Any], handler: Handler, store: InMemoryNonceStore) -> Any:
    app = peers.edge(handler, nonces=store, handler_claims=lambda scope: True)
    headers, _ = peers.sign(nonce=NONCE)
    return await send_to(app, headers=headers)


async def test_the_answer_of_a_handler_that_has_claimed_is_sent_and_the_store_is_not_asked(
    peers: Any, send_to: Callable[..., Any]
) -> None:
    for status in (200, 402):
        answer = await serve(peers, send_to, Handler(NonceState.CLAIMED, status), FullStore())
        assert (answer.status, answer.body) == (status, b"what the handler says")
        assert peers.believes(answer, NONCE)


@pytest.mark.parametrize("status", [200, 204, 302, 399])
@pytest.mark.parametrize("state", [NonceState.OPEN, NonceState.USED, NonceState.UNKNOWN])
async def test_a_handler_that_has_not_claimed_cannot_answer_with_a_success(
    peers: Any, send_to: Callable[..., Any], store: InMemoryNonceStore, state: NonceState, status: int
) -> None:
    answers = []

    async def keep(app: Any, **call: Any) -> None:
        answers.append(await send_to(app, **call))

    with pytest.raises(RuntimeError, match="nonce it has not claimed"):
        await serve(peers, keep, Handler(state, status), store)
    assert answers == []


async def test_the_caller_of_such_a_handler_is_told_of_an_internal_error_and_its_nonce_is_used(
    peers: Any, send_to: Callable[..., Any], store: InMemoryNonceStore
) -> None:
    app = peers.edge(Handler(NonceState.OPEN, 200), nonces=store, handler_claims=lambda scope: True)
    headers, _ = peers.sign(nonce=NONCE)
    sent: list[Any] = []

    async def keeping(scope: Any, receive: Any, send: Any) -> None:
        async def keep(message: Any) -> None:
            sent.append(message)
            await send(message)

        with pytest.raises(RuntimeError):
            await app(scope, receive, keep)

    answer = await send_to(keeping, headers=headers)
    assert (answer.status, answer.body) == (500, b"internal")
    assert peers.believes(answer, NONCE)
    assert not await store.claim("main", NONCE, int(peers.clock()))


async def test_an_error_answer_is_sent_after_the_open_nonce_was_claimed_and_only_once(
    peers: Any, send_to: Callable[..., Any], store: InMemoryNonceStore
) -> None:
    first = await serve(peers, send_to, Handler(NonceState.OPEN, 422), store)
    assert (first.status, first.body) == (422, b"what the handler says")
    second = await serve(peers, send_to, Handler(NonceState.OPEN, 422), store)
    assert (second.status, second.body) == (401, b"nonce_replay")
    assert peers.believes(second, NONCE)


async def test_a_nonce_that_the_handler_found_used_is_a_replay_whatever_the_handler_says(
    peers: Any, send_to: Callable[..., Any]
) -> None:
    answer = await serve(peers, send_to, Handler(NonceState.USED, 500), FullStore())
    assert (answer.status, answer.body) == (401, b"nonce_replay")
    assert peers.believes(answer, NONCE)


async def test_an_unknown_outcome_stays_what_the_handler_says_and_the_store_is_not_asked(
    peers: Any, send_to: Callable[..., Any], store: InMemoryNonceStore
) -> None:
    """The nonce may be this request's own: a store that finds it used would make a replay of it."""
    await store.claim("main", NONCE, int(peers.clock()))
    answer = await serve(peers, send_to, Handler(NonceState.UNKNOWN, 500), store)
    assert (answer.status, answer.body) == (500, b"what the handler says")


async def test_a_refusal_whose_nonce_cannot_be_claimed_is_overloaded_and_unsigned(
    peers: Any, send_to: Callable[..., Any]
) -> None:
    answer = await serve(peers, send_to, Handler(NonceState.OPEN, 422), FullStore())
    assert (answer.status, answer.body) == (503, b"overloaded")
    assert not peers.believes(answer, NONCE)


async def test_a_copy_that_comes_while_the_first_is_served_is_a_replay_and_never_reaches_the_handler(
    peers: Any, send_to: Callable[..., Any], store: InMemoryNonceStore
) -> None:
    """Otherwise copies would wait in the queue in front of the first one's wallet."""
    handler = Handler(NonceState.CLAIMED, 200)
    handler.gate.clear()
    app = peers.edge(handler, nonces=store, handler_claims=lambda scope: True)
    headers, _ = peers.sign(nonce=NONCE)
    first = asyncio.create_task(send_to(app, headers=headers))
    await handler.called.wait()
    copy = await send_to(app, headers=headers)
    handler.gate.set()
    assert (copy.status, (await first).status, handler.calls) == (401, 200, 1)


async def test_a_route_whose_handler_does_not_claim_is_claimed_in_the_store_before_it_runs(
    peers: Any, send_to: Callable[..., Any], store: InMemoryNonceStore
) -> None:
    async def handler(scope: Any, receive: Any, send: Any) -> None:
        assert "nonce" not in scope["state"]
        assert not await store.claim("main", NONCE, int(peers.clock()))
        await send_answer(send, (200, [], b""))

    headers, _ = peers.sign(nonce=NONCE)
    answer = await send_to(peers.edge(handler, nonces=store, handler_claims=lambda scope: False), headers=headers)
    assert answer.status == 200


class HangingStore(InMemoryNonceStore):
    """Claims when `gate` is set."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock=clock)
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()

    async def claim(self, key_id: str, nonce: str, timestamp: int) -> bool:
        self.asked.set()
        await self.gate.wait()
        return await super().claim(key_id, nonce, timestamp)


async def test_an_error_answer_does_not_wait_for_its_nonce_longer_than_the_request_may_take(
    peers: Any, clock: Any, send_to: Callable[..., Any]
) -> None:
    """The store hangs until the caller has its answer: a caller that gave up would send the same again."""
    store = HangingStore(clock)
    headers, _ = peers.sign(nonce=NONCE)
    app = peers.edge(
        Handler(NonceState.OPEN, 422), nonces=store, handler_claims=lambda _: True, claim_seconds=lambda _: -1.0
    )
    answer = await send_to(app, headers=headers)
    assert (answer.status, answer.body) == (503, b"overloaded")
    assert not peers.believes(answer, NONCE)
    assert store.asked.is_set()
    assert not store.gate.is_set()


@pytest.mark.parametrize("seconds", [3_600.0, None])
async def test_an_error_answer_waits_for_its_nonce_while_the_request_has_time(
    peers: Any, clock: Any, send_to: Callable[..., Any], seconds: float | None
) -> None:
    store = HangingStore(clock)
    headers, _ = peers.sign(nonce=NONCE)
    app = peers.edge(
        Handler(NonceState.OPEN, 422), nonces=store, handler_claims=lambda _: True, claim_seconds=lambda _: seconds
    )
    waiting = asyncio.create_task(send_to(app, headers=headers))
    await store.asked.wait()
    assert not waiting.done()
    store.gate.set()
    answer = await waiting
    assert (answer.status, answer.body) == (422, b"what the handler says")
    assert peers.believes(answer, NONCE)
