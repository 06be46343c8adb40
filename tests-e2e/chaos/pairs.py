"""The two pairs of a campaign: who knows whom under which keys, and the files of peers that say so."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from e2e_testing.database import Database
from e2e_testing.service_process import ServiceProcess
from e2e_testing.two_pairs import NUMBERS, RELATIONS, Relation, key_id
from e2e_testing.wallet_proxy import WalletProxy
from local_stack.peers import peers_of
from local_stack.settings import CASINO, PROVIDER


@dataclass(frozen=True, slots=True)
class PeerSecrets:
    """New secrets for each direction of each relation, so that finding one in a log means something."""

    to_casino: Mapping[Relation, str] = field(default_factory=lambda: _new("casino"), repr=False)
    to_studio: Mapping[Relation, str] = field(default_factory=lambda: _new("studio"), repr=False)

    def at_casino(self, casino: int) -> dict[str, str]:
        """The secrets of calls to this casino, by the id of their key."""
        return {key_id((casino, studio)): self.to_casino[casino, studio] for studio in NUMBERS}

    def all(self) -> list[str]:
        return [*self.to_casino.values(), *self.to_studio.values()]


@dataclass(slots=True)
class Pair:
    """A casino and a studio: their processes on one database, and the proxy in front of the casino."""

    number: int
    database: Database
    proxy: WalletProxy
    casinos: list[ServiceProcess] = field(default_factory=list)
    providers: list[ServiceProcess] = field(default_factory=list)


def write_peers(path: Path, service: str, pair: int, *, url: str, secrets: PeerSecrets) -> None:
    """Write the file of peers of a service of this pair; `url` is that of the other pair's service."""
    other = 3 - pair
    urls = {(PROVIDER if service == CASINO else CASINO, other): url}
    entries = peers_of(service, pair, urls)
    relation = (pair, other) if service == CASINO else (other, pair)
    for entry in entries:
        entry["keys"][CASINO][0] |= {"id": key_id(relation), "secret": secrets.to_casino[relation]}
        entry["keys"][PROVIDER][0] |= {"id": key_id(relation), "secret": secrets.to_studio[relation]}
    path.write_text(json.dumps(entries))


def _new(direction: str) -> dict[Relation, str]:
    return {relation: f"chaos-{direction}-{token_hex(24)}" for relation in RELATIONS}
