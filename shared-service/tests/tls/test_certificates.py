"""The certificate is read again when its files change. An unusable pair changes nothing."""

import os
import shutil
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from structlog.testing import capture_logs

from local_stack.certificates import Authority
from shared_service.settings.reader import Reader
from shared_service.tls.certificates import Certificate

DAY_SECONDS = 86_400.0
Spoil = Callable[[Authority, Path], None]


def refusals(cert: Path, key: Path) -> list[str]:
    reader = Reader({"A_CERT": str(cert), "A_KEY": str(key)})
    reader.certificate("A_CERT", "A_KEY")
    return reader.problems


class Served:
    """A certificate in use, and the expiries that were reported."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority()
        self.directory = directory
        self.expiries: list[float] = []
        self.certificate = Certificate(*self.authority.issue(directory), observe=self.expiries.append)

    async def look(self) -> list[str]:
        with capture_logs() as logs:
            assert await self.certificate.step() is False
        return [entry["event"] for entry in logs]


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path / "served")


def shown(context: ssl.SSLContext, authority: Authority, directory: Path) -> str:
    """The host name in a context's certificate, from a handshake that trusts the authority."""
    caller = ssl.create_default_context(cafile=authority.write(directory / "ca.pem"))
    caller.check_hostname = False
    to_server, to_caller = ssl.MemoryBIO(), ssl.MemoryBIO()
    calling = caller.wrap_bio(to_caller, to_server)
    serving = context.wrap_bio(to_server, to_caller, server_side=True)
    for end in (calling, serving, calling, serving):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    presented = calling.getpeercert()
    assert presented is not None
    return str(presented["subjectAltName"][0][1])


async def test_nothing_happens_while_the_files_stay(served: Served) -> None:
    before = served.certificate.context
    assert await served.look() == await served.look() == []
    assert served.certificate.context is before


async def test_a_new_pair_is_served_with_from_the_next_look_on(served: Served, tmp_path: Path) -> None:
    assert shown(served.certificate.context, served.authority, tmp_path) == "localhost"
    served.authority.issue(served.directory, "renewed.test", valid_days=(-1, 60))
    assert await served.look() == ["certificate_changed"]
    assert await served.look() == []
    assert shown(served.certificate.context, served.authority, tmp_path) == "renewed.test"
    assert [round((expiry - time.time()) / DAY_SECONDS) for expiry in served.expiries] == [30, 60]


def key_of_another(authority: Authority, directory: Path) -> None:
    _, key = authority.issue(directory.parent / "other")
    shutil.copy(key, directory / "key.pem")


def certificate_of_another(authority: Authority, directory: Path) -> None:
    cert, _ = authority.issue(directory.parent / "other")
    shutil.copy(cert, directory / "cert.pem")


def cut(name: str, share: float) -> Spoil:
    def spoil(_: Authority, directory: Path) -> None:
        whole = (directory / name).read_bytes()
        (directory / name).write_bytes(whole[: int(len(whole) * share)])

    return spoil


def expired(authority: Authority, directory: Path) -> None:
    authority.issue(directory, valid_days=(-9, -2))


def not_yet_valid(authority: Authority, directory: Path) -> None:
    authority.issue(directory, valid_days=(2, 9))


def of_a_client(authority: Authority, directory: Path) -> None:
    authority.issue(directory, usage=ExtendedKeyUsageOID.CLIENT_AUTH)


def gone(_: Authority, directory: Path) -> None:
    (directory / "key.pem").unlink()


def not_text(_: Authority, directory: Path) -> None:
    (directory / "cert.pem").write_bytes(b"\xff\xfe\x00" * 100)


def a_pipe(_: Authority, directory: Path) -> None:
    (directory / "cert.pem").unlink()
    os.mkfifo(directory / "cert.pem")


@pytest.mark.parametrize(
    "spoil",
    [
        key_of_another, certificate_of_another, expired, not_yet_valid, of_a_client, gone, not_text, a_pipe,
        *(cut(name, share) for name in ("cert.pem", "key.pem") for share in (0, 0.5, 0.95)),
    ],
)  # fmt: skip
async def test_a_pair_that_cannot_be_served_with_changes_nothing_and_is_told_once(served: Served, spoil: Spoil) -> None:
    before = served.certificate.context
    spoil(served.authority, served.directory)
    assert await served.look() == ["certificate_refused"]
    assert await served.look() == []
    assert served.certificate.context is before
    assert len(served.expiries) == 1
    shutil.rmtree(served.directory)
    served.authority.issue(served.directory, "mended.test")
    assert await served.look() == ["certificate_changed"]


async def test_the_way_of_kubernetes_a_directory_that_is_swapped(tmp_path: Path) -> None:
    authority = Authority()
    for version in ("1", "2"):
        authority.issue(tmp_path / version, f"version-{version}.test")
    data, files = tmp_path / "..data", tmp_path / "mounted"
    data.symlink_to("1")
    files.mkdir()
    for name in ("cert.pem", "key.pem"):
        (files / name).symlink_to(data / name)
    certificate = Certificate(files / "cert.pem", files / "key.pem", observe=lambda _: None)
    (tmp_path / "..data_tmp").symlink_to("2")
    (tmp_path / "..data_tmp").rename(data)
    await certificate.step()
    assert shown(certificate.context, authority, tmp_path) == "version-2.test"


async def test_one_that_becomes_valid_is_taken_then(tmp_path: Path) -> None:
    served, now = Served(tmp_path / "served"), [time.time()]
    cert, key = tmp_path / "served" / "cert.pem", tmp_path / "served" / "key.pem"
    certificate = Certificate(cert, key, observe=lambda _: None, clock=lambda: now[0])
    before = certificate.context
    served.authority.issue(tmp_path / "served", valid_days=(2, 9))
    await certificate.step()
    assert certificate.context is before
    now[0] += 3 * DAY_SECONDS
    await certificate.step()
    assert certificate.context is not before


def test_an_expired_one_is_served_with_at_the_start_and_told(tmp_path: Path) -> None:
    cert, key = Authority().issue(tmp_path, valid_days=(-9, -2))
    assert refusals(cert, key) == []
    with capture_logs() as logs:
        Certificate(cert, key, observe=lambda _: None)
    assert [entry["event"] for entry in logs] == ["certificate_not_valid_now"]


@pytest.mark.parametrize("spoil", [key_of_another, of_a_client, gone, cut("cert.pem", 0.5), cut("key.pem", 0.5)])
def test_a_pair_that_no_caller_could_accept_is_refused_at_the_start(tmp_path: Path, spoil: Spoil) -> None:
    authority = Authority()
    cert, key = authority.issue(tmp_path / "served")
    assert refusals(cert, key) == []
    spoil(authority, tmp_path / "served")
    assert len(refusals(cert, key)) == 1
