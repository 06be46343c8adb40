"""The private authority of docs/secrets.md: who trusts its certificates, and how they are replaced."""

import asyncio
import os
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from shared_service.tls.certificates import Certificate
from shared_service.tls.contexts import client_context, load_identity

ROOT = Path(__file__).parents[3]
ISSUE = ROOT / "deploy" / "tls" / "issue.sh"
PAGE = ROOT / "docs" / "secrets.md"


def issue(folder: Path, *hosts: str, **environment: str) -> None:
    command = [ISSUE, folder / "authority", folder / "service", *hosts]
    subprocess.run(command, env={**os.environ, **environment}, check=True, timeout=60)


def shakes_hands(folder: Path, host: str, authority: str = "authority") -> bool:
    """Whether a client that trusts the authority accepts the certificate for this host."""
    serving_context = load_identity(folder / "service" / "cert.pem", folder / "service" / "key.pem").context
    caller = client_context(folder / authority / "authority.pem")
    caller.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_caller = ssl.MemoryBIO(), ssl.MemoryBIO()
    calling = caller.wrap_bio(to_caller, to_server, server_hostname=host)
    serving = serving_context.wrap_bio(to_server, to_caller, server_side=True)
    for end in (calling, serving):
        with pytest.raises(ssl.SSLWantReadError):
            end.do_handshake()
    try:
        calling.do_handshake()
    except ssl.SSLCertVerificationError:
        return False
    return True


def test_a_certificate_is_good_for_its_hosts_and_no_other(tmp_path: Path) -> None:
    hosts = ("casino.example.net", "10.1.2.3", "fd00::1", "localhost", "deadbeef.cafe")
    issue(tmp_path, *hosts)
    assert [host for host in (*hosts, "other.example.net", "10.1.2.4") if shakes_hands(tmp_path, host)] == list(hosts)
    (tmp_path / "another").mkdir()
    issue(tmp_path / "another", "localhost")
    (tmp_path / "another" / "authority").rename(tmp_path / "stranger")
    assert not shakes_hands(tmp_path, "localhost", "stranger")


def test_keys_are_for_their_owner_alone_and_nothing_is_left_over(tmp_path: Path) -> None:
    issue(tmp_path, "localhost")
    modes = {
        str(file.relative_to(tmp_path)): file.stat().st_mode & 0o777 for file in tmp_path.rglob("*") if file.is_file()
    }
    assert modes == {
        "authority/authority.key": 0o600, "authority/authority.pem": 0o644,
        "service/key.pem": 0o600, "service/cert.pem": 0o644,
    }  # fmt: skip


def test_a_second_one_is_of_the_same_authority_and_is_taken_into_service(tmp_path: Path) -> None:
    expiries: list[float] = []
    issue(tmp_path, "localhost", DAYS="30")
    before = (tmp_path / "authority" / "authority.pem").read_bytes()
    certificate = Certificate(
        tmp_path / "service" / "cert.pem", tmp_path / "service" / "key.pem", observe=expiries.append
    )
    issue(tmp_path, "localhost", DAYS="60")
    assert (tmp_path / "authority" / "authority.pem").read_bytes() == before
    asyncio.run(certificate.step())
    assert round((expiries[1] - expiries[0]) / 86_400) == 30
    assert shakes_hands(tmp_path, "localhost")


def test_without_a_host_it_says_how_it_is_used(tmp_path: Path) -> None:
    told = subprocess.run([ISSUE, tmp_path / "a", tmp_path / "b"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "issue.sh <folder" in told.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["", "a b", "a/b", "999.1.1.1", "1:2", "[::1]", "host:8000", "a\nb", "-a", "\u00fc"])
def test_what_is_no_host_is_refused_by_name_and_changes_nothing(tmp_path: Path, host: str) -> None:
    issue(tmp_path, "localhost")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.pem")}
    command = [ISSUE, tmp_path / "authority", tmp_path / "service", "localhost", host]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode in (1, 2)
    assert host in told.stderr
    assert told.stderr.startswith("issue.sh: ")
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.pem")} == before
    assert [path.name for path in (tmp_path / "service").iterdir() if path.name.startswith("issuing")] == []


def test_a_name_may_be_longer_than_a_common_name(tmp_path: Path) -> None:
    host = f"{'a' * 60}.{'b' * 60}.example.net"
    issue(tmp_path, host)
    assert shakes_hands(tmp_path, host)


def test_the_commands_of_the_page_make_what_it_says(tmp_path: Path) -> None:
    commands = next(
        block
        for block in re.findall(r"^```\w*\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
        if "issue.sh" in block
    )
    shutil.copytree(ROOT / "deploy" / "tls", tmp_path / "deploy" / "tls")
    subprocess.run(["sh", "-euc", commands], cwd=tmp_path, check=True, timeout=60)
    for service in ("casino", "provider"):
        load_identity(tmp_path / service / "cert.pem", tmp_path / service / "key.pem")
        shutil.rmtree(tmp_path / "service", ignore_errors=True)
        (tmp_path / service).rename(tmp_path / "service")
        assert shakes_hands(tmp_path, f"{service}.internal")
