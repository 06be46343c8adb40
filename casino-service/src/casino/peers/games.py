"""Takes over the games that a file of providers names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from casino.peers.entries import Provider

TAKE_GAMES: Final = "select casino.take_games(%s, %s::jsonb)"
TAKE_GAMES_OF_TENANT: Final = "select casino.take_games(tenant_id, %s::jsonb) from casino.tenants where tenant_id = %s"
"""No row before the tenant is there."""

_encode = msgspec.json.Encoder().encode


def games_of(providers: Sequence[Provider]) -> str:
    """Returns the games of providers as casino.take_games reads them."""
    games = [{"providerId": each.peer_id, **game} for each in providers for game in each.details.games]
    return _encode(games).decode()
