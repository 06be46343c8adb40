"""Sends streams to a service and holds its answers against what is right for them."""

import contextlib
import json
import random
import socket
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from e2e_testing.raw_wire import PATIENCE_SECONDS
from e2e_testing.signing_client import Signer
from fuzz.streams import Sent, Streams

SPOILT_SHARE = 0.6
NEVER = frozenset({500, 502})
PAUSE_SECONDS = 0.0005
"""Between some packets, so that the service reads them one by one."""


class Unreadable(Exception):  # noqa: N818 - a finding, not a defect of this program
    """What the service sent is not a row of HTTP answers."""


@dataclass(frozen=True, slots=True)
class Got:
    """One answer as it came."""

    status: int
    headers: httpx.Headers
    body: bytes


def answers_in(data: bytes, to_head: list[bool]) -> list[Got]:
    """The answers in a row of bytes. Raises Unreadable; invitations to send a body are left out."""
    answers: list[Got] = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        if not separator or not lines[0].startswith("HTTP/1.1 "):
            raise Unreadable(head[:200])
        if lines[0].startswith("HTTP/1.1 100"):
            continue
        headers = httpx.Headers([(name, value) for name, _, value in (line.partition(": ") for line in lines[1:])])
        has_body = len(answers) >= len(to_head) or not to_head[len(answers)]
        length = int(headers["content-length"]) if has_body else 0
        if len(data) < length:
            raise Unreadable(data[:200])
        answers.append(Got(int(lines[0].split()[1]), headers, data[:length]))
        data = data[length:]
    return answers


@dataclass(slots=True)
class Hostile:
    """One hostile peer of one service."""

    streams: Streams
    port: int
    rng: random.Random
    counts: Counter[str] = field(default_factory=Counter)

    def turn(self) -> None:
        """One connection. Fails when an answer is wrong."""
        if self.rng.random() < SPOILT_SHARE:
            self._send_spoilt()
        else:
            self._send_good()

    def _send_good(self) -> None:
        data, sent = self.streams.good()
        said, _ = self._exchange(data)
        self.counts["good streams"] += 1
        answers = answers_in(said, [each.to_head for each in sent])
        assert len(answers) == len(sent), self._told(data, said, f"{len(answers)} answers to {len(sent)} requests")
        for each, answer in zip(sent, answers, strict=True):
            wrong = self._what_is_wrong(each, answer)
            assert wrong is None, self._told(data, said, wrong)

    def _send_spoilt(self) -> None:
        data = self.streams.spoilt()
        said, was_cut = self._exchange(data)
        self.counts["spoilt streams"] += 1
        with contextlib.suppress(Unreadable):  # a spoilt method may be HEAD, and an answer may be cut off
            for answer in answers_in(said, []):
                self.counts[f"status {answer.status}"] += 1
                assert answer.status not in NEVER, self._told(data, said, f"{answer.status}")
                if answer.status >= 400:
                    has_form = {"error", "code", "requestId"} <= json.loads(answer.body).keys()
                    assert has_form, self._told(data, said, "an error in another form")
        self.counts["cut off"] += was_cut

    def _what_is_wrong(self, sent: Sent, answer: Got) -> str | None:
        if answer.headers.get("x-request-id") != sent.request_id:
            return f"the answer to another request: {answer.headers.get('x-request-id')}, not {sent.request_id}"
        if answer.status != sent.status and (sent.status or answer.status >= 500):
            return f"{answer.status}, not {sent.status}"
        if sent.code is not None and json.loads(answer.body)["code"] != sent.code:
            return f"not {sent.code}"
        if sent.signed is None:
            return None
        response = httpx.Response(
            answer.status, headers=answer.headers, content=answer.body, request=sent.signed.request
        )
        judged = Signer(self.streams.peer).judge(sent.signed, response)
        return None if judged.signature == "good" else f"the signature of the answer is {judged.signature}"

    def _exchange(self, data: bytes) -> tuple[bytes, bool]:
        """What the service said until it closed, and whether it ended the connection before it had read all."""
        said, was_cut = b"", False
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                pieces = self.streams.pieces(data)
                for piece in pieces:
                    raw.sendall(piece)
                    if len(pieces) < 10 and self.rng.random() < 0.5:
                        time.sleep(PAUSE_SECONDS)
                raw.shutdown(socket.SHUT_WR)
            except OSError:
                was_cut = True
            with contextlib.suppress(ConnectionError):
                while part := raw.recv(65_536):
                    said += part
        return said, was_cut

    @staticmethod
    def _told(data: bytes, said: bytes, wrong: str) -> str:
        return f"{wrong}\nsent: {data[:4000]!r}\nsaid: {said[:4000]!r}"
