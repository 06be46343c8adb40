"""Random numbers from seeds: the published vector, the rejection of words, and that nothing is biased."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from itertools import islice

import pytest

from provider.games.fairness import draws
from provider.games.fairness.draws import WORDS, SeededSource, commitment, seed_hash

SEED = b"\x33" * 32


def test_the_published_vector() -> None:
    digest = hmac.digest(SEED, b"lucky:0:0", "sha256").hex()
    assert digest == "81a0e45c8d76f6e35e9321858db73ac1cb63666d7391514f1c47895d2a7ce2cc"
    source = SeededSource(SEED, "lucky", 0)
    assert [source.below(22) for _ in range(3)] == [12, 15, 1]
    assert commitment(seed_hash(SEED), "lucky", 0) == (
        "95430d31cac16f15c4e4993efc879eb542fde5360464406766bd135424259610"
    )


def test_words_are_used_in_order_and_the_ninth_is_the_next_blocks_first() -> None:
    source = SeededSource(SEED, "lucky", 7)
    blocks = b"".join(hmac.digest(SEED, f"lucky:7:{block}".encode(), "sha256") for block in range(3))
    expected = [int.from_bytes(blocks[at : at + 4], "big") for at in range(0, 96, 4)]
    assert [source.below(WORDS) for _ in range(24)] == expected


def test_of_one_number_there_is_one() -> None:
    assert SeededSource(SEED, "lucky", 0).below(1) == 0


def test_a_word_that_would_make_small_numbers_more_probable_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 22 * (WORDS // 22)
    words = iter([limit, WORDS - 1, limit - 1, 43])
    monkeypatch.setattr(draws, "_words", lambda *_: words)
    source = SeededSource(SEED, "lucky", 0)
    assert [source.below(22), source.below(22)] == [21, 21]


def test_another_seed_client_seed_or_counter_is_another_draw() -> None:
    named = [(SEED, "lucky", 0), (b"\x34" * 32, "lucky", 0), (SEED, "lucky_", 0), (SEED, "lucky", 1)]
    drawn = {tuple(SeededSource(*each).below(2**32) for _ in range(4)) for each in named}
    assert len(drawn) == len(named)


def test_no_number_comes_more_often_than_chance_explains() -> None:
    counts = Counter(SeededSource(SEED, "fair", counter).below(22) for counter in range(22_000))
    assert counts.keys() == set(range(22))
    chi_squared = sum((count - 1000) ** 2 / 1000 for count in counts.values())
    assert chi_squared < 46.8, "the 99.9 % quantile of 21 degrees of freedom"


@pytest.mark.parametrize("bound", [0, -1, WORDS + 1])
def test_a_bound_that_a_word_cannot_hold_is_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="bound"):
        SeededSource(SEED, "lucky", 0).below(bound)


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SeededSource(b"short", "lucky", 0)


def test_the_hash_of_a_seed_is_that_of_its_raw_bytes() -> None:
    assert seed_hash(SEED) == hashlib.sha256(SEED).hexdigest()
    assert len(list(islice(seed_hash(SEED), 64))) == 64
