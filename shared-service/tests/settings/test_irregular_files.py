"""A pipe, a folder, a device or a socket in a file's place is refused, and nobody waits for it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from local_stack.certificates import Authority
from shared_service.keys.live_keys import Direction, KeyFile, LiveKeys
from shared_service.keys.peers import PeersFile
from shared_service.settings.files import open_regular
from shared_service.settings.keys import read_directions, read_peers
from shared_service.settings.reader import Reader
from shared_service.tls.certificates import Certificate
from shared_service.tls.contexts import client_context
from shared_signing.keys import Key

PLACES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
}
KEYS = {name: Key("main", f"the {name}'s own key 0123456789abcdef".encode()) for name in ("casino", "provider")}


def peers_file(path: Path) -> PeersFile[None]:
    return PeersFile(path, "main", "http://main.test", ("casino", "provider"), frozenset(), _nothing, "A_FILE")


def _nothing(_: Mapping[str, Any]) -> None:
    return None


def keys_at_start(reader: Reader) -> None:
    read_directions(reader, ("casino", "casino-secret"), demo=True, others=())


def peers_at_start(reader: Reader) -> None:
    path = reader.path("A_FILE")
    assert path is not None
    read_peers(reader, peers_file(path), [], strict=True, others=())


KINDS: dict[str, tuple[str, Callable[[Reader], object]]] = {
    "secret": ("A_FILE", lambda reader: reader.secret("A")),
    "document of secrets": ("A_FILE", lambda reader: reader.secret_document("A")),
    "database": ("A_FILE", lambda reader: reader.database("A")),
    "authorities": ("A_FILE", lambda reader: reader.authorities("A_FILE")),
    "keys": ("CASINO_KEYS_FILE", keys_at_start),
    "peers": ("A_FILE", peers_at_start),
}


@pytest.fixture(params=PLACES.values(), ids=PLACES.keys())
def put(request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    def put_there(path: Path) -> Path:
        path.unlink(missing_ok=True)
        request.param(path)
        return path

    return put_there


@pytest.mark.parametrize(("variable", "read"), KINDS.values(), ids=KINDS.keys())
def test_it_refuses_the_start(
    tmp_path: Path, put: Callable[[Path], Path], variable: str, read: Callable[[Reader], object]
) -> None:
    reader = Reader({variable: str(put(tmp_path / "file"))})
    read(reader)
    (problem,) = reader.problems
    assert problem.startswith(f"{variable} ")


@pytest.mark.parametrize("wrong", [0, 1], ids=["certificate", "key"])
async def test_no_certificate_is_read_from_it(tmp_path: Path, put: Callable[[Path], Path], wrong: int) -> None:
    pair = Authority().issue(tmp_path / "pair")
    certificate = Certificate(*pair, observe=lambda _: None)
    put(pair[wrong])
    with capture_logs() as logs:
        await certificate.step()
    assert [entry["event"] for entry in logs] == ["certificate_refused"]
    reader = Reader({"A_CERT": str(pair[0]), "A_KEY": str(pair[1])})
    reader.certificate("A_CERT", "A_KEY")
    assert len(reader.problems) == 1


def test_a_new_client_takes_no_authorities_from_it(tmp_path: Path, put: Callable[[Path], Path]) -> None:
    with pytest.raises(OSError, match=r".+"):
        client_context(put(tmp_path / "ca.pem"))


@pytest.mark.parametrize("which", ["casino", "peers"])
def test_at_run_time_it_leaves_the_last_good_file_in_force(
    tmp_path: Path, put: Callable[[Path], Path], which: str
) -> None:
    paths = {name: tmp_path / name for name in ("casino", "peers")}
    for path in paths.values():
        path.write_text("[]")
    live = LiveKeys(
        [
            Direction("casino", (KEYS["casino"],), KeyFile(paths["casino"], KEYS["casino"].secret.decode())),
            Direction("provider", (KEYS["provider"],)),
        ],
        peers_file=peers_file(paths["peers"]),
    )
    assert live.reread_files(0) == []
    put(paths[which])
    assert [refused.direction for refused in live.reread_files(0)] == [which]
    live.apply(())
    assert live.live_ids(0)["casino"] == ("main",)


def test_a_refused_file_leaves_no_descriptor_open(tmp_path: Path, put: Callable[[Path], Path]) -> None:
    path = put(tmp_path / "file")

    def lowest_free() -> int:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        os.close(descriptor)
        return descriptor

    before = lowest_free()
    for _ in range(3):
        with pytest.raises(OSError, match=r".+"):
            open_regular(path)
    assert lowest_free() == before
