"""The jurisdiction packs: what the place where a casino is licensed asks of a game, one validated file each."""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

DEFAULT: Final = "default"
CYCLE_MAX_MS: Final = 60_000

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=CYCLE_MAX_MS)]


class LeastCycle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From the start of a round to the start of the next one, at the least."""

    slot: Milliseconds
    crash: Milliseconds


class Jurisdiction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A pack. The server holds a player to the least cycle; the other rules are for the page.

    `celebrates_returns_up_to_stake`: whether a page may celebrate a payout that is no profit.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z_-]{1,32}\Z")]
    least_cycle_ms: LeastCycle
    autoplay: bool
    stop_button: bool
    net_position: bool
    elapsed_time: bool
    celebrates_returns_up_to_stake: bool
    demo_play: bool


class UnfitPack(ValueError):  # noqa: N818 - a state, named as the others are
    """The file of a jurisdiction breaks a rule."""


def read_pack(name: str, content: bytes) -> Jurisdiction:
    """Read and check a file, whose name it must tell. Raises `UnfitPack`."""
    try:
        pack = msgspec.json.decode(content, type=Jurisdiction)
    except msgspec.DecodeError as error:
        raise UnfitPack(f"{name}: {error}") from None
    if pack.name != name:
        raise UnfitPack(f"{name}: the file names {pack.name}")
    return pack


def _load() -> Mapping[str, Jurisdiction]:
    folder = files("provider.catalogue") / "jurisdictions"
    names = sorted(each.name.removesuffix(".json") for each in folder.iterdir() if each.name.endswith(".json"))
    return MappingProxyType({name: read_pack(name, (folder / f"{name}.json").read_bytes()) for name in names})


JURISDICTIONS: Final[Mapping[str, Jurisdiction]] = _load()
"""Read when the service starts: it does not start with a pack that breaks a rule."""
