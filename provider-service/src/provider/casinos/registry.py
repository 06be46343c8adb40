"""The casinos that this studio plays for: their codes, addresses, states and keys.

A casino is live, draining (no launch and no new bet; all else goes on) or off (no signature of it holds, and it is not
called). One without a live key to call it with is draining. The first one is the environment's; the others come from
`PROVIDER_CASINOS_FILE`, and may change at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from starlette.requests import Request

from provider.catalogue.terms import STUDIO_TERMS, CasinoTerms
from provider.errors import Refused
from shared_service.keys.peers import Status
from shared_signing.keys import KeyRing


@dataclass(frozen=True, slots=True)
class Casino:
    """One casino. `key_ring` signs the calls to its wallet and verifies the answers."""

    code: str
    url: str
    key_ring: KeyRing = field(repr=False)
    status: Status = Status.LIVE
    terms: CasinoTerms = STUDIO_TERMS


class Casinos:
    """The casinos of a process at each moment. `find` returns a casino by its code, `codes` the codes of all."""

    def __init__(self, find: Callable[[str], Casino | None], codes: Callable[[], Iterable[str]]) -> None:
        self._find = find
        self._codes = codes

    def of(self, code: str) -> Casino | None:
        """The casino with this code; None for one that is off."""
        casino = self._find(code)
        return None if casino is None or casino.status is Status.OFF else casino

    def are_several(self) -> bool:
        """Whether more than one casino is configured."""
        return sum(1 for _ in self._codes()) > 1

    def may_bet(self, code: str) -> bool:
        """Whether new bets may be sent to this casino."""
        casino = self.of(code)
        return casino is not None and casino.status is Status.LIVE

    def called(self) -> list[Casino]:
        """The casinos whose wallets may be called."""
        return [casino for code in self._codes() if (casino := self.of(code)) is not None]

    def signer_of(self, request: Request) -> Casino:
        """The casino whose key signed the request. Raises `unknown_key` when it has just been switched off."""
        casino = self.of(request.scope["state"]["peer"])
        if casino is None:
            raise Refused("unknown_key")
        return casino


def only(casino: Casino) -> Casinos:
    """One casino alone, for work that concerns no other."""
    return Casinos({casino.code: casino}.get, lambda: [casino.code])


def require_live(casino: Casino) -> None:
    """Raises `casino_draining` unless the casino takes new players and bets."""
    if casino.status is not Status.LIVE:
        raise Refused("casino_draining")
