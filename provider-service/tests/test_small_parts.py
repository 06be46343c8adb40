"""Backoff, sealing and ids."""

from __future__ import annotations

from uuid import UUID

import pytest

from provider.outbox.backoff import Backoff
from provider.outbox.calls import rollback_id_of
from provider.sessions.sealing import SealBroken, Sealer


def test_five_retries_fall_within_two_minutes_and_then_one_a_minute() -> None:
    for _ in range(200):
        pauses = [Backoff().pause_seconds(made) for made in range(1, 6)]
        assert 85 < sum(pauses) <= 120
        assert pauses[0] <= 4
    assert 45 <= Backoff().pause_seconds(100_000) <= 60


def test_pauses_are_spread_so_that_an_outage_does_not_end_in_a_stampede() -> None:
    """Row D9."""
    pauses = [Backoff(4.0).pause_seconds(1) for _ in range(200)]
    assert 3.0 <= min(pauses) < 3.2
    assert 3.8 < max(pauses) <= 4.0
    assert len(set(pauses)) > 150


def test_the_rollback_of_a_bet_has_one_id_for_ever() -> None:
    bet = UUID("a9429bb3-9f71-4497-9fa4-f5f7592a46af")
    assert rollback_id_of(bet) == UUID("09b4c2aa-9d22-5b60-ab56-f08414b1b7aa")
    assert rollback_id_of(bet).version == 5


def test_what_was_sealed_is_opened_with_the_same_secret() -> None:
    sealed = Sealer([b"a secret"]).seal("token")
    assert b"token" not in sealed
    assert Sealer([b"a secret"]).open(sealed) == "token"


def test_after_a_rotation_the_old_seal_still_opens_and_the_new_secret_seals() -> None:
    old = Sealer([b"old"]).seal("token")
    both = Sealer([b"old", b"new"])
    assert both.open(old) == "token"
    assert Sealer([b"new"]).open(both.seal("other")) == "other"


@pytest.mark.parametrize(
    "sealed", [b"", b"nonsense", Sealer([b"another"]).seal("token")], ids=["nothing", "nonsense", "others"]
)
def test_what_was_sealed_by_others_is_not_opened(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        Sealer([b"ours"]).open(sealed)
