"""Calls over TLS: who is not the provider gets no request, and whatever goes wrong is no answer, never a defect."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from casino.sessions import provider_client
from casino.sessions.provider_client import ProviderClient, ProviderUnreachable
from casino_testing.edge import PROVIDER_RING
from local_stack.certificates import Authority
from local_stack.tls_peers import GOOD, NEVER_CONNECTED, UNKNOWN, Behaviour, Scene, peer

PATIENCE_SECONDS = 60.0


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(Authority(), tmp_path)


async def reason(behave: Behaviour, scene: Scene, ca_file: Path | None) -> str:
    """Why the provider gave no answer: the peers here sign nothing."""
    with peer(behave, scene) as port:
        client = ProviderClient(f"https://127.0.0.1:{port}", PROVIDER_RING, ca_file=ca_file)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                with pytest.raises(ProviderUnreachable) as caught:
                    await client.launch({"userId": "1"}, request_id="r")
        finally:
            await client.close()
    return str(caught.value)


async def test_a_provider_with_a_certificate_of_the_authority_is_called(scene: Scene) -> None:
    said = await reason(GOOD, scene, scene.authority.write(scene.directory / "ca.pem"))
    assert said == "status 200, signature missing"


@pytest.mark.parametrize("who", NEVER_CONNECTED)
async def test_who_is_not_the_provider_is_not_called(scene: Scene, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_client, "CONNECT_TIMEOUT_SECONDS", 1.0)
    said = await reason(NEVER_CONNECTED[who], scene, scene.authority.write(scene.directory / "ca.pem"))
    assert said in ("ConnectError", "ConnectTimeout")


@pytest.mark.parametrize("how", UNKNOWN)
async def test_a_connection_that_breaks_after_the_request_is_no_answer(scene: Scene, how: str) -> None:
    said = await reason(UNKNOWN[how], scene, scene.authority.write(scene.directory / "ca.pem"))
    assert said in ("ReadError", "RemoteProtocolError", "SSLError")


async def test_with_a_file_of_authorities_the_systems_are_not_believed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A service takes this variable away at its start; here it stands for what the system believes.
    monkeypatch.setenv("SSL_CERT_FILE", str(scene.authority.write(scene.directory / "system.pem")))
    assert await reason(GOOD, scene, None) == "status 200, signature missing"
    private = Authority().write(scene.directory / "private.pem")
    assert await reason(GOOD, scene, private) == "ConnectError"
