"""A session without a round for a day is stopped, unless it has a pending transaction."""

from __future__ import annotations

import psycopg

from provider.sessions.serving import stop_stale_sessions
from provider.sql.schema import database_for
from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import fresh_launch, rows, serving, settings_for
from provider_testing.wallet_faults import cut


async def test_a_session_that_nobody_plays_in_is_stopped_and_one_that_owes_is_not(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    async with serving(database_url, wallet, retry_first_seconds=600.0) as provider:
        idle, played, owing, fresh = [await provider.launch(**fresh_launch()) for _ in range(4)]
        await provider.simulate(played)
        wallet.plan("credit", cut, times=50)
        await provider.simulate(owing)
        ids = [session["providerSessionId"] for session in (idle, played, owing, fresh)]
        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute(
                "update provider.game_sessions set created_at = now() - interval '25 hours'"
                " where provider_session_id = any(%s::uuid[])",
                (ids[:3],),
            )
            owner.execute("update provider.rounds set created_at = now() - interval '25 hours'")
    async with database_for(settings_for(database_url, wallet.url)) as pool:
        assert await stop_stale_sessions(pool) is False
    told = {
        str(row["provider_session_id"]): row["stopped_code"]
        for row in rows(owner_url, "select provider_session_id, stopped_code from provider.game_sessions")
    }
    assert [told[name] for name in ids] == ["stale", "stale", None, None]
