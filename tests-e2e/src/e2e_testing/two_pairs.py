"""Two stacks that know each other: two casinos and two studios, each pair with data of its own.

A relation is a casino and a studio by their numbers. Each casino has game 1 from its own studio, which it knows from
the environment, and game 5 from the other one, which it knows from its file of peers.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e_testing.answers import Answer, Peer
from e2e_testing.game_session import GameSession
from e2e_testing.signing_client import SigningClient
from e2e_testing.stack import CASINO_HEADER, PROVIDER_HEADER, SLOTS_GAME_ID, TENANT, Stack, StartStack
from local_stack.peers import GAMES, Urls, keys, peers_of
from local_stack.ports import free_port
from local_stack.settings import CASINO, DEMO_SECRETS, DEMO_SECRETS_2, PEERS_FILES, PROVIDER, SERVICES

Entries = list[dict[str, Any]]
Relation = tuple[int, int]

NUMBERS = (1, 2)
RELATIONS: tuple[Relation, ...] = tuple((casino, studio) for casino in NUMBERS for studio in NUMBERS)
OWN_GAME, OTHER_GAME = (SLOTS_GAME_ID, "SLOTS_001"), GAMES[0][:2]


def key_id(relation: Relation) -> str:
    casino, studio = relation
    return "main" if casino == studio else f"casino-{casino}-studio-{studio}"


def game_of(relation: Relation) -> tuple[str, str]:
    """The id at the casino and the code at the studio of a game that the studio has there."""
    casino, studio = relation
    return OWN_GAME if casino == studio else OTHER_GAME


def casino_code_of(relation: Relation) -> str:
    """How the studio calls the casino."""
    casino, studio = relation
    return TENANT if casino == studio else f"CASINO-{casino}"


def provider_id_of(relation: Relation) -> str:
    """How the casino calls the studio."""
    casino, studio = relation
    return "main" if casino == studio else f"studio-{studio}"


@dataclass(frozen=True, slots=True)
class TwoPairs:
    """Both stacks. `folder` holds the files of peers, which the services read while they run."""

    stacks: tuple[Stack, Stack]
    folder: Path
    urls: Urls

    def stack(self, number: int) -> Stack:
        return self.stacks[number - 1]

    def studio(self, relation: Relation) -> SigningClient:
        """Calls the casino as the studio does."""
        casino, _ = relation
        peer = Peer(self.urls[CASINO, casino], CASINO_HEADER, secret_of(CASINO, relation))
        return self.stack(casino).signing_client(peer, key_id=key_id(relation))

    def casino(self, relation: Relation) -> SigningClient:
        """Calls the studio as the casino does."""
        _, studio = relation
        peer = Peer(self.urls[PROVIDER, studio], PROVIDER_HEADER, secret_of(PROVIDER, relation))
        return self.stack(studio).signing_client(peer, key_id=key_id(relation))

    def launch(self, relation: Relation, user_id: str) -> Answer:
        game_id, _ = game_of(relation)
        return self.stack(relation[0]).launch(user_id, game_id=game_id)

    def session(self, relation: Relation, user_id: str | None = None) -> GameSession:
        """A player of the casino at a game of the studio; its wallet calls are the studio's."""
        player_id = user_id or self.stack(relation[0]).open_player()
        launched = self.launch(relation, player_id).must_be_ok()
        return GameSession(
            wallet=self.studio(relation),
            user_id=player_id,
            token=launched.content["sessionToken"],
            provider_session_id=launched.content["providerSessionId"],
            opening_balance_minor=int(launched.content["balance"]),
        )

    def entries(self, service: str, pair: int) -> Entries:
        """What the service's file of peers says at the start."""
        return peers_of(service, pair, self.urls)

    def write(self, service: str, pair: int, entries: Entries) -> None:
        """Replace the service's file of peers. The service follows within two seconds."""
        write_file(self.folder, service, pair=pair, entries=entries)

    def set_status(self, service: str, pair: int, status: str) -> None:
        """Of the only peer in the service's file."""
        self.write(service, pair, [entry | {"status": status} for entry in self.entries(service, pair)])


def secret_of(direction: str, relation: Relation) -> str:
    casino, studio = relation
    if casino == studio:
        return (DEMO_SECRETS if casino == 1 else DEMO_SECRETS_2)[direction]
    return keys(casino=casino, studio=studio)[direction][0]["secret"]


def start_two_pairs(start: StartStack, folder: Path, **settings: dict[str, str]) -> TwoPairs:
    """Start both pairs with `start`, each on a database of its own. `settings`: those of `own_stack`, for both."""
    ports = {(service, number): free_port() for service in SERVICES for number in NUMBERS}
    urls = {which: f"http://127.0.0.1:{port}" for which, port in ports.items()}
    stacks = []
    for number, published in zip(NUMBERS, (DEMO_SECRETS, DEMO_SECRETS_2), strict=True):
        secrets = {f"{service.upper()}_SECRET": published[service] for service in SERVICES}
        own: dict[str, dict[str, str]] = {}
        for service in SERVICES:
            path = write_file(folder, service, pair=number, entries=peers_of(service, number, urls))
            given = settings.get(f"{service}_settings", {})
            own[f"{service}_settings"] = secrets | {PEERS_FILES[service]: str(path)} | given
        stacks.append(start(casino_port=ports[CASINO, number], provider_port=ports[PROVIDER, number], **own))
    first, second = stacks
    return TwoPairs((first, second), folder, urls)


def write_file(folder: Path, service: str, *, pair: int, entries: Entries) -> Path:
    """Write the file of peers beside the old one, and rename it."""
    path = folder / f"{service}-{pair}.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(entries))
    fresh.replace(path)
    return path
