"""The casinos that this studio plays for: their codes, addresses, states and keys.

A casino is live, draining (no launch and no new bet; all else goes on) or off (no signature of it holds, and it is not
called). A casino that is gone is off: its rows stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from starlette.requests import Request

from provider.errors import Refused
from shared_signing.keys import KeyRing


class Status(StrEnum):
    """What a casino may do."""

    LIVE = "live"
    DRAINING = "draining"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Casino:
    """One casino. `key_ring` signs the calls to its wallet and verifies the answers."""

    code: str
    url: str
    key_ring: KeyRing = field(repr=False)
    status: Status = Status.LIVE


class Casinos:
    """The casinos of a process. `replace` changes them at run time.

    `owner_of` returns the code of the casino whose requests a key signs, by the key's id.
    """

    def __init__(self, casinos: Iterable[Casino], owner_of: Callable[[str], str | None]) -> None:
        self._owner_of = owner_of
        self.replace(casinos)

    def replace(self, casinos: Iterable[Casino]) -> None:
        """Know these casinos from now on."""
        self._by_code = {casino.code: casino for casino in casinos}

    def of(self, code: str) -> Casino | None:
        """The casino with this code; None for one that was never configured or is gone."""
        return self._by_code.get(code)

    def may_bet(self, code: str) -> bool:
        """Whether new bets may be sent to this casino."""
        casino = self._by_code.get(code)
        return casino is not None and casino.status is Status.LIVE

    def called(self) -> list[Casino]:
        """The casinos whose wallets may be called."""
        return [casino for casino in self._by_code.values() if casino.status is not Status.OFF]

    def signer_of(self, request: Request) -> Casino:
        """The casino whose key signed the request. Raises `unknown_key` when it has just been switched off."""
        code = self._owner_of(request.scope["state"]["signed_by"])
        casino = None if code is None else self._by_code.get(code)
        if casino is None or casino.status is Status.OFF:
            raise Refused("unknown_key")
        return casino


def require_live(casino: Casino) -> None:
    """Raises `casino_draining` unless the casino takes new players and bets."""
    if casino.status is not Status.LIVE:
        raise Refused("casino_draining")
