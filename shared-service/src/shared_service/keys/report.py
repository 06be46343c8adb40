"""The texts of the key commands: the keys with their states, and the result of a revocation. They show no secret."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared_service.keys.live_keys import Revocation
from shared_signing.keys import Key

SEEN_WITHIN_SECONDS: Final = 2
"""Every process refuses a revoked key within this time."""


class KeyNotRevoked(Exception):  # noqa: N818 - a decision, not a defect
    """Nothing was changed. The text says why."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """The state of one configured key: `live`, `ended` or `revoked`."""

    direction: str
    key_id: str
    state: str
    signs: bool
    not_after: float | None
    peer: str = ""

    def line(self) -> str:
        """The key's line in the output of `keys`."""
        end = "" if self.not_after is None else f"  not after {datetime.fromtimestamp(self.not_after, UTC):%FT%TZ}"
        peer = f"  of {self.peer}" if self.peer else ""
        signs = "signs" if self.signs else ""
        return f"{self.direction:<9} {self.key_id:<20} {self.state:<8}{signs:<5}{end}{peer}".rstrip()


def key_states(direction: str, keys: Sequence[Key], revoked: Collection[Revocation], *, now: float) -> list[KeyState]:
    """Returns the states of one direction's keys, oldest first. `now` is in unix seconds."""
    states = {}
    for key in keys:
        was_revoked = (direction, key.key_id) in revoked
        states[key.key_id] = "revoked" if was_revoked else "live" if key.is_live(now) else "ended"
    signing = {key.peer: key.key_id for key in keys if states[key.key_id] == "live"}  # the newest of each peer
    return [
        KeyState(
            direction, key.key_id, states[key.key_id], key.key_id == signing.get(key.peer), key.not_after, key.peer
        )
        for key in keys
    ]  # fmt: skip


def require_revocable(key_id: str, states: Sequence[KeyState], *, caller: str, confirmed: bool) -> None:
    """Raises `KeyNotRevoked` for an id that is not configured here, and for the last live key when not confirmed.

    `caller` is the service that signs the requests of this direction.
    """
    direction = states[0].direction
    means = f"{direction} ({caller} to {direction})"
    known = [state.key_id for state in states]
    if key_id not in known:
        raise KeyNotRevoked(
            f"there is no key {key_id} in the direction {means}; there are:"
            f" {', '.join(known)}. Nothing was changed. Run this where the service's own settings are."
        )
    if _live_beside(key_id, states) == [key_id] and not confirmed:
        raise KeyNotRevoked(
            f"{key_id} is the last live key in the direction {means}. Without it nothing is"
            f" signed or accepted there: every call stops until a new key is in {direction.upper()}_KEYS_FILE or"
            f" {direction.upper()}_KEYS on both services. Nothing was changed. If you mean it, add --yes."
        )


def _live_beside(key_id: str, states: Sequence[KeyState]) -> list[str]:
    """The live keys of the peer whose key this is, oldest first."""
    peer = next(state.peer for state in states if state.key_id == key_id)
    return [state.key_id for state in states if state.state == "live" and state.peer == peer]


def revocation_report(
    key_id: str, states: Sequence[KeyState], *, service: str, peer: str, was_revoked: bool
) -> list[str]:
    """Returns lines with what was done and what is left to do. `states` are the states after the revocation."""
    direction = states[0].direction
    caller = peer if direction == service else service
    done = "was revoked before; nothing changed" if was_revoked else "is revoked"
    live = _live_beside(key_id, states)
    signs = f"{live[-1]} signs" if live else "NO LIVE KEY IS LEFT: nothing is signed or accepted in this direction"
    return [
        f"{service}: key {key_id}, direction {direction} ({caller} to {direction}), {done}.",
        f"Every {service} process refuses it within {SEEN_WITHIN_SECONDS} seconds, also after a restart; {signs}.",
        f"This holds for {service} only. Now run: {peer} revoke-key {key_id} --direction {direction}",
        f"The id {key_id} stays revoked: give its successor another id.",
    ]
