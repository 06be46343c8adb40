"""Pauses between attempts: how long, and spread."""

from __future__ import annotations

from provider.outbox.backoff import Backoff


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
