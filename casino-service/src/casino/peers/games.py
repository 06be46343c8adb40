"""Takes over the games that a file of providers names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from casino.peers.entries import Provider

TAKE_GAMES: Final = "select casino.take_games(%s, %s::jsonb)"
TAKE_GAMES_AT_START: Final = """
    select casino.take_games(%(tenant)s, %(games)s::jsonb)
    from casino.is_known(%(tenant)s, %(ledger)s::integer)
    where o_tenant
"""
"""No row before the tenant is there: the service starts, and takes them once it is."""

_encode = msgspec.json.Encoder().encode


def games_of(providers: Sequence[Provider]) -> str:
    """Returns the games of providers as casino.take_games reads them."""
    games = [{"providerId": each.peer_id, **game} for each in providers for game in each.details.games]
    return _encode(games).decode()
