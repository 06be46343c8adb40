"""Session tokens at rest: who can open them, before and after a rotation."""

from __future__ import annotations

import pytest

from provider.sessions.sealing import SealBroken, Sealer


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
