"""A wrong certificate or key file is named, and each fault has its own message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from local_stack.certificates import Authority
from shared_service.settings.reader import Reader

CERT, KEY = "A_TLS_CERT_FILE", "A_TLS_KEY_FILE"


def refusals(cert: Path, key: Path) -> list[str]:
    reader = Reader({CERT: str(cert), KEY: str(key)})
    reader.certificate(CERT, KEY)
    return reader.problems


def lock_with_password(path: Path) -> None:
    key = load_key(path.read_bytes(), None)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


FAULTS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "a folder": make_folder,
    "empty": lambda path: path.write_text("\n"),
    "no PEM": lambda path: path.write_text("nothing\n"),
}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return Authority().issue(tmp_path / "own")


def test_a_certificate_with_its_key_is_accepted(pair: tuple[Path, Path]) -> None:
    assert refusals(*pair) == []


@pytest.mark.parametrize("wrong", [CERT, KEY])
def test_each_fault_of_a_file_names_it_in_its_own_words(tmp_path: Path, wrong: str) -> None:
    told = set()
    for fault, spoil in FAULTS.items():
        cert, key = Authority().issue(tmp_path / fault)
        spoil(cert if wrong == CERT else key)
        (sentence,) = refusals(cert, key)
        assert sentence.startswith(f"{wrong} ")
        told.add(sentence)
    assert len(told) == len(FAULTS)


def test_a_key_that_does_not_fit_is_told_from_one_that_cannot_be_read(pair: tuple[Path, Path], tmp_path: Path) -> None:
    _, foreign = Authority().issue(tmp_path / "other")
    of_a_client = Authority().issue(tmp_path / "client", usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    told = [refusals(pair[0], foreign), refusals(*of_a_client), refusals(pair[0], pair[0])]
    lock_with_password(pair[1])
    assert refusals(*pair) == told[2]  # with a password it cannot be read either
    assert len({sentence for (sentence,) in told}) == len(told)
    assert all(sentence.startswith(f"{KEY} ") for (sentence,) in told)
