"""The games of each provider are read and noted: one whose games cannot be noted now keeps no other from it."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from structlog.typing import EventDict

from casino.play.catalogue import Catalogue
from casino.sessions.providers import Providers, key_watch_of
from casino.sql.schema import database_for
from casino_testing.processes import held_transaction
from casino_testing.service import settings_of
from casino_testing.studios import ACME, Network, acme, providers_file
from casino_testing.tenant import Tenant

HOLD = "select pg_advisory_xact_lock(hashtextextended('casino.note_provider_games of ' || %s, 0))"
NOTED = "select provider_id from casino.provider_games where game_code = %s order by 1"


@pytest.mark.parametrize(("held", "noted"), [(ACME, ["main"]), ("main", [ACME])])
async def test_a_provider_whose_games_are_locked_keeps_no_other_waiting(
    tenant: Tenant, tmp_path: Path, logged: list[EventDict], held: str, noted: list[str]
) -> None:
    """Red before: the lock's time-out ended the reading, and providers with later names were left out."""
    path, network, code = tmp_path / "providers.json", Network(), f"GAME_{uuid.uuid4().hex[:8]}"
    path.write_text(json.dumps([acme()]))
    network.main.games = network.acme.games = [{"gameId": code, "name": "A game", "rtp": "0.95"}]
    settings = settings_of(tenant, providers_file=providers_file(path))
    async with database_for(settings, size_max=1) as database, database_for(settings, size_max=1) as of_keys:
        watch = key_watch_of(settings, of_keys, lambda _: None)
        await watch.step()
        providers = Providers(settings, watch.keys, network.transport())
        reading = Catalogue(settings, database, providers)
        with held_transaction(tenant) as holder:
            holder.execute(HOLD, (held,))
            await reading.read()
        assert [row["provider_id"] for row in tenant.sql(NOTED, code)] == noted
        assert [event["peer"] for event in logged if event["event"] == "provider_games_not_noted"] == [held]
        await reading.read()
        assert {row["provider_id"] for row in tenant.sql(NOTED, code)} == {ACME, "main"}
        await providers.close()
