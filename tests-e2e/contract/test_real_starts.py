"""One real start of each kind: it serves as documented, or it ends with a sentence for each variable that is wrong."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from e2e_testing.database import Database
from e2e_testing.service_process import ServiceProcess, full_environment
from e2e_testing.setting_cases import OTHER, STRONG, THIRD, kinds
from e2e_testing.stack import demo_environment
from local_stack.ports import free_port
from shared_service_testing.sampling import sampled

START_SECONDS = 60
OPTIONAL = {service: kinds(service).keys() for service in ("casino", "provider")}


def either_service(test: Callable[..., None]) -> Callable[..., None]:
    """One of the services, drawn for each test; with NIGHTLY=1 both."""
    return pytest.mark.parametrize("service", sampled(["casino", "provider"], 1, seed=test.__name__))(test)


def environment(database: Database) -> dict[str, str]:
    return demo_environment(database, casino_url="http://127.0.0.1:1", provider_url="http://127.0.0.1:1") | {
        "CASINO_OPS_PORT": "0",
        "PROVIDER_OPS_PORT": "0",
    }


def serves(service: str, settings: dict[str, str], tmp_path: Path) -> str:
    """Start it until it is ready, stop it, and return its log."""
    process = ServiceProcess(service, free_port(), settings, tmp_path / f"{service}.log")
    process.start()
    try:
        process.wait_until_ready()
    finally:
        exit_code = process.stop()
    assert exit_code in (0, -15), process.log_tail()
    log = (tmp_path / f"{service}.log").read_text()
    assert "Traceback" not in log
    return log


def refusal(service: str, settings: dict[str, str], command: str = "serve") -> list[str]:
    """The sentences of a start that is refused, without the program's name."""
    # Bytes, because a value that is not UTF-8 is one of the cases.
    given = {os.fsencode(name): os.fsencode(value) for name, value in full_environment(settings).items()}
    ended = subprocess.run(
        [sys.executable, "-m", service, command], env=given, capture_output=True, timeout=START_SECONDS, check=False
    )
    told = (ended.stdout + ended.stderr).decode()
    assert ended.returncode == 1, told
    assert re.fullmatch(rf"({service}: [A-Z_]+ [ -~]+\n)+", told), told
    return [line.removeprefix(f"{service}: ") for line in told.splitlines()]


@either_service
def test_it_serves_with_every_optional_variable_blank_and_says_that_it_is_in_demo_mode(
    scratch: Database, tmp_path: Path, service: str
) -> None:
    given = environment(scratch)
    blank = {name: " " for name in OPTIONAL[service] if name not in given and not name.startswith("LOG")}
    log = serves(service, blank | given, tmp_path)
    assert log.count("demo_mode") == 1
    assert "setting_noted" not in log


@either_service
def test_it_serves_with_secrets_and_addresses_from_files_and_notes_what_it_ignores(
    scratch: Database, tmp_path: Path, service: str
) -> None:
    upper = service.upper()
    given = environment(scratch) | {"CASINO_DEMO": "off", "LOG_FORMAT": " JSON ", f"{upper}_HOST": " 127.0.0.1 "}
    values = {
        "CASINO_SECRET": STRONG,
        "PROVIDER_SECRET": OTHER,
        f"{upper}_DATABASE_URL": given[f"{upper}_DATABASE_URL"],
    }
    values["CASINO_ACCESS_TOKEN_SECRET" if service == "casino" else "PROVIDER_SEALING_KEY"] = THIRD
    if service == "casino":
        values["CASINO_PEPPER"] = f"{THIRD[::-1]}-pepper"
    for name, value in values.items():
        (tmp_path / name).write_text(f"{value}\n")
        given[f"{name}_FILE"] = str(tmp_path / name)
        given.pop(name, None)
    given |= {f"{upper}_TYPO": "a-value", f"{upper}_SERVICE_HOST": "10.0.0.1", "PORT": "1", "HOST": "0.0.0.0"}
    log = serves(service, given, tmp_path)
    notes = [json.loads(line)["note"] for line in log.splitlines() if "setting_noted" in line]
    for noted in (f"{upper}_TYPO", "CASINO_SECRET_FILE"):
        assert len([note for note in notes if noted in note]) == 1, notes
    assert "demo_mode" not in log
    assert not any(shown in log for shown in (STRONG, OTHER, THIRD, "a-value"))


@either_service
def test_it_ends_with_a_sentence_for_each_variable_that_is_wrong(scratch: Database, service: str) -> None:
    upper, peer = service.upper(), "PROVIDER" if service == "casino" else "CASINO"
    given = environment(scratch) | {
        "CASINO_DEMO": "0", "CASINO_SECRET": "\udcff" * 40, "PROVIDER_SECRET": "short", f"{upper}_HOST": "no host",
        f"{peer}_URL": "peer.test:8000", f"{upper}_PORT": "\u0661", "LOG_LEVEL": "loud",
        f"{upper}_DATABASE_URL_FILE": "/nonexistent", "CASINO_ACCESS_TOKEN_SECRET": THIRD,
        "CASINO_PEPPER": f"{THIRD[::-1]}-pepper", "PROVIDER_SEALING_KEY": THIRD,
    }  # fmt: skip
    del given[f"{upper}_DATABASE_URL"]
    told = refusal(service, given)
    assert sorted(sentence.split(" ")[0] for sentence in told) == sorted(
        ["CASINO_SECRET", "PROVIDER_SECRET", f"{upper}_HOST", f"{peer}_URL", f"{upper}_PORT", "LOG_LEVEL",
         f"{upper}_DATABASE_URL_FILE"]
    )  # fmt: skip


@either_service
def test_it_ends_when_two_settings_contradict_each_other(scratch: Database, tmp_path: Path, service: str) -> None:
    (tmp_path / "secret").write_text(STRONG)
    given = environment(scratch) | {"CASINO_SECRET_FILE": str(tmp_path / "secret")}
    (told,) = refusal(service, given)
    assert {"CASINO_SECRET", "CASINO_SECRET_FILE"} <= set(re.findall("[A-Z_]{4,}", told))


@either_service
def test_a_migration_is_refused_in_the_same_way(scratch: Database, service: str) -> None:
    name = f"{service.upper()}_OWNER_DATABASE_URL"
    (told,) = refusal(service, environment(scratch) | {name: "postgresql://somebody:password@db:99999/x"}, "migrate")
    assert told.startswith(f"{name} ")
    assert "password" not in told


@either_service
def test_one_port_on_two_addresses_has_two_listeners(scratch: Database, tmp_path: Path, service: str) -> None:
    """The route of a request was looked up by its port alone: the public saw metrics and nothing else."""
    upper, port = service.upper(), free_port()
    given = environment(scratch) | {f"{upper}_HOST": "127.0.0.2", f"{upper}_OPS_HOST": "localhost"}
    process = ServiceProcess(service, port, given, tmp_path / "log", ops_port=port)
    signed = {"casino": "/casino/debit", "provider": "/provider/launch"}[service]
    process.start()
    try:
        process.wait_until_ready()
        statuses = {
            (host, path): httpx.post(
                f"http://{host}:{port}{path}", timeout=30, trust_env=False, verify=False
            ).status_code
            for host in ("127.0.0.1", "127.0.0.2")
            for path in ("/metrics", signed)
        }
    finally:
        process.stop()
    assert statuses == {
        ("127.0.0.1", "/metrics"): 405, ("127.0.0.1", signed): 404,
        ("127.0.0.2", "/metrics"): 404, ("127.0.0.2", signed): 401,
    }  # fmt: skip
