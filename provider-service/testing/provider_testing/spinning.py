"""Spins for tests: what to ask, and what the books must say afterwards."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx

from provider.catalogue.games import GAMES
from provider.games.fairness.draws import SeededSource, seed_hash
from provider.games.slots.spin import events_of, play_round, win_minor
from provider.sessions.sealing import SEEDS, Sealer
from provider.settings import DEMO_SEALING_KEY
from provider_testing.service import Running, rows

DRAWS = """
    select spin.*, draw.events, payout.amount_minor as win_minor, seed.seed_sealed, seed.seed_sha256
    from provider.draws as draw
    join provider.spins as spin using (round_id)
    join provider.wallet_transactions as payout on payout.transaction_id = draw.payout_id
    join provider.server_seeds as seed on seed.seed_id = draw.seed_id
    order by draw.seed_id, draw.counter
"""


def fresh_spin(**changed: Any) -> dict[str, Any]:
    """The members of a new spin."""
    return {"spinId": uuid.uuid4().hex, "stake": 1000} | changed


async def spin(provider: Running, session: dict[str, Any], **changed: Any) -> httpx.Response:
    """Ask for a spin in this session."""
    return await provider.client.post("/provider/spin", json=session | fresh_spin(**changed))


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer; the code of an acceptance is `ok`."""
    return answer.status_code, answer.json().get("code", "ok")


def require_fair_draws(owner_url: str) -> list[dict[str, Any]]:
    """Compute every draw again from its seeds. Counters have no gap. Returns the draws."""
    found = rows(owner_url, DRAWS)
    sealer = Sealer([DEMO_SEALING_KEY.encode()], purpose=SEEDS)
    expected: dict[uuid.UUID, int] = {}
    for row in found:
        secret = bytes.fromhex(sealer.open(bytes(row["seed_sealed"])))
        assert seed_hash(secret) == row["seed_sha256"]
        assert row["counter"] == expected.setdefault(row["seed_id"], 0)
        expected[row["seed_id"]] += 1
        slot = GAMES[row["game_code"]].slot
        assert slot is not None
        played = play_round(slot.game.model, SeededSource(secret, row["client_seed"], row["counter"]))
        win = win_minor(played, stake_minor=row["stake_minor"], max_win_minor=slot.game.max_win)
        assert row["win_minor"] == win
        assert row["events"] == json.loads(json.dumps(events_of(played, win_minor=win)))
    counters = rows(owner_url, "select seed_id, next_counter from provider.server_seeds")
    assert {row["seed_id"]: row["next_counter"] for row in counters if row["next_counter"]} == expected
    return found
