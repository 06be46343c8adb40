"""A peer's clock error stays visible after the peer corrected it, for a short time."""

from __future__ import annotations

from shared_service.metrics.peer_clock import KEPT_SECONDS, PeerClock


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_refused_request_outweighs_the_corrected_one_behind_it() -> None:
    peer = PeerClock(clock=Time())
    assert peer.worst() is None
    for skew in (-120, 0, 1):
        peer.note(skew)
    assert peer.worst() == -120


def test_a_difference_is_kept_for_a_while_and_then_over() -> None:
    time = Time()
    peer = PeerClock(clock=time)
    peer.note(90)
    time.now += KEPT_SECONDS
    peer.note(2)
    assert peer.worst() == 90
    time.now += KEPT_SECONDS
    peer.note(-1)
    assert peer.worst() == 2
    peer.note(5)
    peer.note(-3)
    time.now += 2 * KEPT_SECONDS
    assert peer.worst() == -3, "what the latest request showed"
