"""What tests of the player's safety share: a third game, and a player whose clock is set."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from casino_testing.risk import NOON, Player
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet

THIRD_GAME = """
    insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)
    values (%s, '3', 'DICE_001', 'Dice', 1000, 100000)
"""


@pytest.fixture
def open_player(tenant: Tenant, wallet: Wallet) -> Callable[..., Player]:
    """Opens a player who begins to play at noon."""
    tenant.sql(THIRD_GAME, tenant.tenant_id)
    return lambda **options: Player(tenant, wallet, NOON, **options)


@pytest.fixture
def player(open_player: Callable[..., Player]) -> Player:
    """A player with 1,000,000, far from any cluster, who plays on whatever actions are taken."""
    return open_player(forgiven=True)
