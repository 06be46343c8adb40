"""docker-compose.yml, as `docker compose config` reads it: what a variable of the environment changes."""

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import casino.settings
import provider.settings
from local_stack.peers import peers_of
from local_stack.settings import DEMO_SECRETS_2
from shared_service.settings.reader import Reader

ROOT = Path(__file__).parents[3]


@cache
def services(*further_files: str, **environment: str) -> dict[str, Any]:
    if shutil.which("docker") is None:
        pytest.skip("this machine has no docker, which reads the file")
    files = [word for file in ("docker-compose.yml", *further_files) for word in ("--file", file)]
    command = ["docker", "compose", *files, "--env-file", os.devnull, "config", "--format", "json"]
    finished = subprocess.run(
        command, cwd=ROOT, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(finished.stdout)["services"]
    return found


@pytest.mark.parametrize(
    ("name", "default"), [("CASINO_URL", "http://casino:8000"), ("PROVIDER_URL", "http://provider:8100")]
)
def test_each_service_may_be_one_of_your_own(name: str, default: str) -> None:
    """Compose can run the casino with another provider. The address was once fixed in the file."""
    own = "http://host.docker.internal:9100"
    for service in ("casino", "provider"):
        assert services()[service]["environment"][name] == default
        assert services(**{name: own})[service]["environment"][name] == own


def test_every_container_serves_the_tenant_of_the_environment() -> None:
    for service in ("casino", "casino-migrate", "provider"):
        given = services(CASINO_TENANT="ACME", CASINO_LEDGER="7")[service]["environment"]
        assert (given["CASINO_TENANT"], given["CASINO_LEDGER"]) == ("ACME", "7")
        assert not services()[service]["environment"]["CASINO_TENANT"], "blank: the demo's"


def test_each_service_gets_key_files_of_its_own() -> None:
    """Each service has its own key files, because a rotation changes one service at a time."""
    found = services("deploy/docker/keys.compose.yml", KEYS_DIR="/etc/keys", CASINO_KEYS="[]")
    for service in ("casino", "provider"):
        environment = found[service]["environment"]
        assert (environment["CASINO_KEYS"], environment["PROVIDER_KEYS"]) == ("", ""), "a setting and its file exclude"
        [folder] = [each for each in found[service]["volumes"] if each["target"] == "/keys"]
        assert folder["source"] == f"/etc/keys/{service}"
        for direction in ("CASINO", "PROVIDER"):
            assert environment[f"{direction}_KEYS_FILE"] == f"{folder['target']}/{direction.lower()}.json"


def test_each_service_gets_a_folder_of_peers_of_its_own() -> None:
    found = services("deploy/docker/peers.compose.yml", PEERS_DIR="/etc/peers")
    for service, name in (("casino", "CASINO_PROVIDERS_FILE"), ("provider", "PROVIDER_CASINOS_FILE")):
        [folder] = found[service]["volumes"]
        assert (folder["source"], folder["target"]) == (f"/etc/peers/{service}", "/peers")
        assert found[service]["environment"][name] == f"/peers/{service}.json"


@pytest.mark.parametrize("pair", [1, 2])
@pytest.mark.parametrize("service", ["casino", "provider"])
def test_the_files_of_the_profile_two_peers_are_those_of_the_local_stack(service: str, pair: int) -> None:
    ports = {"casino": 8000, "provider": 8100}
    urls = {(each, n): f"http://{each}{'-2' * (n - 1)}:{port}" for each, port in ports.items() for n in (1, 2)}
    file = ROOT / "deploy" / "docker" / "two-peers" / f"{service}{'-2' * (pair - 1)}.json"
    assert json.loads(file.read_text()) == peers_of(service, pair, urls)


def test_the_second_pair_differs_from_the_first_in_nothing_but_its_data_and_its_peers() -> None:
    found = services(COMPOSE_PROFILES="two-peers")
    for service in ("casino", "provider"):
        first, second = (found[name]["environment"] for name in (service, f"{service}-2"))
        differing = {name for name in first if first[name] != second[name]}
        peers = "CASINO_PROVIDERS_FILE" if service == "casino" else "PROVIDER_CASINOS_FILE"
        assert differing - {"CASINO_OVERSIGHT_DATABASE_URL"} == {
            f"{service.upper()}_DATABASE_URL", peers, "CASINO_SECRET", "PROVIDER_SECRET", "CASINO_URL", "PROVIDER_URL",
        }  # fmt: skip
        assert {name: second[name] for name in ("CASINO_SECRET", "PROVIDER_SECRET")} == {
            f"{name.upper()}_SECRET": secret for name, secret in DEMO_SECRETS_2.items()
        }


NOT_FROM_THE_ENVIRONMENT = {
    r"(CASINO|PROVIDER)_(HOST|PORT|OPS_HOST|OPS_PORT)": "the image listens, and compose publishes the port",
    r"(CASINO|PROVIDER)(_OVERSIGHT)?_DATABASE_URL": "made of the password, or from a file of secrets.compose.yml",
    r"(CASINO|PROVIDER)_OWNER_DATABASE_URL": "only the containers that migrate have it",
    r".*_FILE": "a mounted file: secrets.compose.yml, keys.compose.yml and the profile tls",
    r"PROVIDER_DEMO": "CASINO_DEMO reaches both services",
}


@pytest.mark.parametrize(("service", "settings"), [("casino", casino.settings), ("provider", provider.settings)])
def test_a_service_takes_every_setting_that_makes_sense_in_a_container(service: str, settings: Any) -> None:
    reader = Reader({})
    settings.read(reader)
    fixed = [name for name in reader.names if any(re.fullmatch(each, name) for each in NOT_FROM_THE_ENVIRONMENT)]
    given = {name: f"value-of-{name}" for name in reader.names.difference(fixed)}
    environment = services(**given)[service]["environment"]
    assert {name: environment.get(name) for name in given} == given
    assert "4321" not in services(**dict.fromkeys(fixed, "4321"))[service]["environment"].values()
