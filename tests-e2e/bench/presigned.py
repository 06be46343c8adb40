"""Requests built and signed before a round, straight from section 2 of the protocol.

Signs with hashlib and hmac, without `shared_signing`: a wallet that accepts these requests agrees with the written
contract, not with its own library.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

NONCE_PREFIX_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A bench player with one live game session."""

    user_id: str
    session_token: str


def sign_all(
    target: str, bodies: Iterable[bytes], *, secret: str, header: str = "x-casino-signature", port: int
) -> list[bytes]:
    """Whole HTTP/1.1 requests, each with a nonce of its own; they stay valid for a minute from now."""
    timestamp = int(time.time())
    prefix = secrets.token_hex(NONCE_PREFIX_BYTES)
    key = secret.encode()
    head = (
        f"POST {target} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"{header}: t={timestamp},n="
    )
    requests = []
    for number, body in enumerate(bodies):
        nonce = f"{prefix}{number:016x}"
        signed = f"v1\n{timestamp}\n{nonce}\nPOST\n{target}\n{hashlib.sha256(body).hexdigest()}".encode()
        mac = hmac.digest(key, signed, "sha256").hex()
        rest = f"{nonce},k=main,v1={mac}\r\ncontent-length: {len(body)}\r\n\r\n"
        requests.append((head + rest).encode() + body)
    return requests


def debit_bodies(players: Sequence[Player], *, count: int, amount_minor: int = 1_000) -> list[bytes]:
    """`count` bets, player after player, every one the only bet of a round of its own, as at a slot machine."""
    prefix = secrets.token_hex(8)
    many = len(players)
    bodies = []
    for number in range(count):
        player = players[number % many]
        bodies.append(
            (
                f'{{"sessionToken":"{player.session_token}","userId":"{player.user_id}",'
                f'"transactionId":"t-{prefix}-{number:08x}","roundId":"r-{prefix}-{number:08x}","amount":{amount_minor}}}'
            ).encode()
        )
    return bodies


def balance_bodies(players: Sequence[Player], *, count: int) -> list[bytes]:
    many = len(players)
    return [
        f'{{"sessionToken":"{player.session_token}","userId":"{player.user_id}"}}'.encode()
        for player in (players[number % many] for number in range(count))
    ]


def plain_post(target: str, bodies: Iterable[bytes], *, port: int) -> list[bytes]:
    """Unsigned requests, for the client endpoints and for the servers that do nothing."""
    head = f"POST {target} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: "
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]
