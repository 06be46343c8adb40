"""Nothing about a player, a balance, a voucher or a history reaches a draw."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from provider.spins import seeds
from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import serving
from provider_testing.spinning import spin

SECRET = b"\x33" * 32


async def test_players_with_nothing_in_common_but_their_seeds_see_the_same_boards(
    database_url: str, wallet: FakeWallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another player, stake, balance and history: the same seeds and counter, the same board."""
    monkeypatch.setattr(seeds, "secrets", SimpleNamespace(token_bytes=lambda size: SECRET[:size]))
    async with serving(database_url, wallet) as provider:
        first, second = await provider.launch(userId="poor"), await provider.launch(userId="rich")
        wallet.model.balance_minor = 100_000
        seen = [(await spin(provider, first, clientSeed="lucky", stake=1000)).json() for _ in range(6)]
        wallet.model.balance_minor = 2**40
        played = [(await spin(provider, second, clientSeed="lucky", stake=77_777)).json() for _ in range(6)]
    assert seen[0]["events"][0]["stops"] == [12, 15, 1]
    for one, other in zip(seen, played, strict=True):
        assert one["events"][:-1] == other["events"][:-1]
        assert one["win"] * 77_777 // 1000 == other["win"]
