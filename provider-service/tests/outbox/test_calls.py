"""Ids of wallet calls."""

from __future__ import annotations

from uuid import UUID

from provider.outbox.calls import rollback_id_of


def test_the_rollback_of_a_bet_has_one_id_for_ever() -> None:
    bet = UUID("a9429bb3-9f71-4497-9fa4-f5f7592a46af")
    assert rollback_id_of(bet) == UUID("09b4c2aa-9d22-5b60-ab56-f08414b1b7aa")
    assert rollback_id_of(bet).version == 5
