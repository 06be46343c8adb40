"""POST /provider/spin against an honest wallet: one debit, one draw, one credit."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from provider_testing.books import require_agreement, states
from provider_testing.fake_wallet import FakeWallet
from provider_testing.service import Running, rows, serving


async def spin(provider: Running, session: dict[str, Any], **changed: Any) -> httpx.Response:
    asked = session | {"spinId": uuid.uuid4().hex, "stake": 1000} | changed
    return await provider.client.post("/provider/spin", json=asked)


async def test_a_spin_is_one_debit_one_draw_and_one_credit(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    async with serving(database_url, wallet) as provider:
        session = await provider.launch()
        answer = await spin(provider, session, spinId="s-1")
        assert answer.status_code == 200, answer.text
        said = answer.json()
        again = await spin(provider, session, spinId="s-1")
    assert again.content == answer.content
    assert list(said) == ["spinId", "roundId", "stake", "win", "balance", "events", "configuration"]
    assert (said["spinId"], said["stake"]) == ("s-1", 1000)
    assert said["balance"] == str(1_000_000 - 1000 + said["win"])
    assert said["events"][-1] == {"type": "end", "win": said["win"]}
    assert [call.kind for call in wallet.calls] == ["debit", "credit"]
    assert wallet.calls[1].members["endRound"] is True
    assert {call.members["roundId"] for call in wallet.calls} == {said["roundId"]}
    assert sorted(states(owner_url)) == [("credit", "committed"), ("debit", "settled")]
    (seed,) = rows(owner_url, "select next_counter from provider.server_seeds")
    assert seed["next_counter"] == 1
    require_agreement(owner_url, wallet.model)
