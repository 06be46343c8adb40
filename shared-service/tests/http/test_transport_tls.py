"""Calls over TLS: who is not the wallet gets no request, and a request that may have been read is never "not sent"."""

from pathlib import Path

import httpx
import pytest

from local_stack.certificates import Authority
from local_stack.tls_peers import GOOD, NEVER_CONNECTED, UNKNOWN, Behaviour, Scene, peer
from shared_service.http.transport import NotSent, create_http_client

CALL_SECONDS = 30.0
CONNECT_SECONDS = 1.0


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(Authority(), tmp_path)


async def post(url: str, ca_file: Path | None) -> httpx.Response:
    client = create_http_client(
        base_url=url, call_seconds=CALL_SECONDS, connect_seconds=CONNECT_SECONDS, ca_file=ca_file
    )
    async with client:
        return await client.post("/x", content=b"{}")


async def ask(behave: Behaviour, scene: Scene, *, scheme: str = "https", host: str = "127.0.0.1") -> httpx.Response:
    with peer(behave, scene) as port:
        return await post(f"{scheme}://{host}:{port}", scene.authority.write(scene.directory / "ca.pem"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_wallet_with_a_certificate_of_the_authority_is_called(scene: Scene, host: str) -> None:
    assert (await ask(GOOD, scene, host=host)).content == b"ok"


@pytest.mark.parametrize("who", NEVER_CONNECTED)
async def test_who_is_not_the_wallet_is_known_to_have_been_sent_nothing(scene: Scene, who: str) -> None:
    with pytest.raises(NotSent):
        await ask(NEVER_CONNECTED[who], scene)


@pytest.mark.parametrize("how", UNKNOWN)
async def test_what_may_have_been_read_is_never_said_not_to_have_been_sent(scene: Scene, how: str) -> None:
    with pytest.raises(httpx.HTTPError) as failed:
        await ask(UNKNOWN[how], scene)
    assert not isinstance(failed.value, NotSent)


async def test_plain_http_to_a_port_with_tls_may_have_arrived(scene: Scene) -> None:
    with pytest.raises(httpx.HTTPError) as failed:
        await ask(GOOD, scene, scheme="http")
    assert not isinstance(failed.value, NotSent)


@pytest.fixture
def believed_by_the_system(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("SSL_CERT_FILE", str(scene.authority.write(scene.directory / "system.pem")))
    return scene


async def test_with_a_file_of_authorities_the_systems_are_not_believed(believed_by_the_system: Scene) -> None:
    scene = believed_by_the_system
    with peer(GOOD, scene) as port:
        # A service takes this variable away at its start; here it stands for what the system believes.
        assert (await post(f"https://127.0.0.1:{port}", None)).content == b"ok"
        with pytest.raises(NotSent):
            await post(f"https://127.0.0.1:{port}", Authority().write(scene.directory / "private.pem"))


async def test_variables_for_other_programs_make_nobody_believed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(name, str(scene.authority.write(scene.directory / "other.pem")))
    with peer(GOOD, scene) as port, pytest.raises(NotSent):
        await post(f"https://127.0.0.1:{port}", None)
