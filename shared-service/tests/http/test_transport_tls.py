"""Calls over TLS: only the right peer gets a request, and a request that may have been read is never "not sent"."""

from pathlib import Path

import httpx
import pytest

from local_stack.certificates import Authority
from local_stack.tls_peers import GOOD, NEVER_CONNECTED, UNKNOWN, Behaviour, Issuer, peer
from shared_service.http.transport import NotSent, create_http_client

CALL_SECONDS = 30.0
CONNECT_SECONDS = 1.0


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(Authority(), tmp_path)


async def post(url: str, ca_file: Path | None) -> httpx.Response:
    client = create_http_client(
        base_url=url, call_seconds=CALL_SECONDS, connect_seconds=CONNECT_SECONDS, ca_file=ca_file
    )
    async with client:
        return await client.post("/x", content=b"{}")


async def ask(behave: Behaviour, issuer: Issuer, *, scheme: str = "https", host: str = "127.0.0.1") -> httpx.Response:
    with peer(behave, issuer) as port:
        return await post(f"{scheme}://{host}:{port}", issuer.authority.write(issuer.directory / "ca.pem"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_wallet_with_a_certificate_of_the_authority_is_called(issuer: Issuer, host: str) -> None:
    assert (await ask(GOOD, issuer, host=host)).content == b"ok"


@pytest.mark.parametrize("who", NEVER_CONNECTED)
async def test_who_is_not_the_wallet_is_known_to_have_been_sent_nothing(issuer: Issuer, who: str) -> None:
    with pytest.raises(NotSent):
        await ask(NEVER_CONNECTED[who], issuer)


@pytest.mark.parametrize("how", UNKNOWN)
async def test_what_may_have_been_read_is_never_said_not_to_have_been_sent(issuer: Issuer, how: str) -> None:
    with pytest.raises(httpx.HTTPError) as failed:
        await ask(UNKNOWN[how], issuer)
    assert not isinstance(failed.value, NotSent)


async def test_plain_http_to_a_port_with_tls_may_have_arrived(issuer: Issuer) -> None:
    with pytest.raises(httpx.HTTPError) as failed:
        await ask(GOOD, issuer, scheme="http")
    assert not isinstance(failed.value, NotSent)


@pytest.fixture
def believed_by_the_system(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Issuer:
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.authority.write(issuer.directory / "system.pem")))
    return issuer


async def test_with_a_file_of_authorities_the_systems_are_not_believed(believed_by_the_system: Issuer) -> None:
    issuer = believed_by_the_system
    with peer(GOOD, issuer) as port:
        # A service removes this variable at its start. Here it sets the system's authorities.
        assert (await post(f"https://127.0.0.1:{port}", None)).content == b"ok"
        with pytest.raises(NotSent, match=r"^TLS$"):
            await post(f"https://127.0.0.1:{port}", Authority().write(issuer.directory / "private.pem"))


async def test_variables_for_other_programs_make_nobody_believed(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(name, str(issuer.authority.write(issuer.directory / "other.pem")))
    with peer(GOOD, issuer) as port, pytest.raises(NotSent):
        await post(f"https://127.0.0.1:{port}", None)
