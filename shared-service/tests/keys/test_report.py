"""The texts of the key commands, and the checks before a revocation."""

from __future__ import annotations

import pytest

from shared_service.keys.report import KeyNotRevoked, key_states, require_revocable, revocation_report
from shared_signing.keys import Key

NOW = 1_763_690_000.0
KEYS = [Key("old", b"s1-canary", NOW), Key("main", b"s2-canary"), Key("k2", b"s3-canary", NOW + 60)]


def test_every_key_has_its_state_and_the_newest_live_one_signs() -> None:
    states = key_states("casino", KEYS, {("casino", "k2"), ("provider", "main")}, now=NOW)
    assert [(state.key_id, state.state, state.signs) for state in states] == [
        ("old", "ended", False),
        ("main", "live", True),
        ("k2", "revoked", False),
    ]


def test_a_line_holds_an_end_and_never_a_secret() -> None:
    lines = [state.line() for state in key_states("casino", KEYS, set(), now=NOW)]
    assert all(part in lines[2] for part in ("casino", "k2", "live", "signs", "2025-11-21T01:54:20Z"))
    assert "canary" not in str(lines)


def test_of_each_peer_the_newest_live_key_signs_and_the_last_one_needs_a_confirmation() -> None:
    keys = [Key("main", b"s1", peer="main"), Key("a1", b"s2", peer="acme"), Key("a2", b"s3", peer="acme")]
    states = key_states("casino", keys, {("casino", "a2")}, now=NOW)
    assert [(state.key_id, state.signs) for state in states] == [("main", True), ("a1", True), ("a2", False)]
    assert [state.line().split()[-2:] for state in states] == [["of", "main"], ["of", "acme"], ["of", "acme"]]
    with pytest.raises(KeyNotRevoked, match="--yes"):
        require_revocable("a1", states, caller="provider", confirmed=False)
    after = key_states("casino", keys, {("casino", "a1"), ("casino", "a2")}, now=NOW)
    report = revocation_report("a1", after, service="casino", peer="provider", was_revoked=False)
    assert "NO LIVE KEY IS LEFT" in report[1], "of that peer"


def test_an_unknown_id_is_refused_with_the_ids_that_there_are() -> None:
    with pytest.raises(KeyNotRevoked, match=r"k9.*old.*main.*k2"):
        require_revocable("k9", key_states("casino", KEYS, set(), now=NOW), caller="provider", confirmed=True)


def test_the_last_live_key_needs_a_confirmation() -> None:
    states = key_states("provider", KEYS, {("provider", "k2")}, now=NOW)
    with pytest.raises(KeyNotRevoked, match="--yes"):
        require_revocable("main", states, caller="casino", confirmed=False)
    require_revocable("main", states, caller="casino", confirmed=True)
    require_revocable("old", states, caller="casino", confirmed=False)


def test_a_person_is_told_what_was_done_and_what_is_left_to_do() -> None:
    revoked = {("casino", "k2")}
    text = "\n".join(
        revocation_report(
            "k2", key_states("casino", KEYS, revoked, now=NOW), service="casino", peer="provider", was_revoked=False
        )
    )
    assert "k2" in text
    assert "main" in text
    assert "provider revoke-key k2 --direction casino" in text
    none_left = key_states("casino", KEYS, {("casino", "k2"), ("casino", "main")}, now=NOW)
    assert (
        "NO LIVE KEY IS LEFT"
        in revocation_report("main", none_left, service="provider", peer="casino", was_revoked=True)[1]
    )
