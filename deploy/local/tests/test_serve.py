"""`serve` and `demo` as real processes: signals, exit codes, children."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from local_stack.certificates import Authority
from local_stack.cluster import remove_cluster
from local_stack.ports import free_port, is_taken
from local_stack.postgres import Postgres
from local_stack.testing import database_urls
from local_stack_testing.serving import (
    READY_SECONDS,
    STOP_SECONDS,
    Serving,
    clean_environment,
    free_ports,
    is_alive,
    run_command,
    serving,
)
from shared_service_testing.sampling import sampled
from shared_service_testing.waiting import wait_until

ORPHAN_SECONDS = 60


def test_the_demo_passes_with_the_balance_of_the_seed_and_leaves_nothing_behind() -> None:
    before = set(Path(tempfile.gettempdir()).glob("demo-*"))
    done = run_command("demo", clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "PASSED  final balance 1,001,000 USD"
    assert set(Path(tempfile.gettempdir()).glob("demo-*")) == before


def require_a_stop_in_order(stack: Serving, number: signal.Signals) -> None:
    children = stack.children()
    assert set(children) == {"casino", "provider", "postgres"}
    assert stack.stop(number) == 0, stack.output
    assert not [name for name, pid in children.items() if is_alive(pid)]
    assert stack.output.rstrip().endswith("stopped")
    assert "database system is shut down" in (stack.state / "postgres.log").read_text()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A stack for the tests that leave it running. In the end SIGTERM stops it in order."""
    state = tmp_path_factory.mktemp("running") / "state"
    with serving(state) as stack:
        yield stack
        require_a_stop_in_order(stack, signal.SIGTERM)
    remove_cluster(state)


def test_a_stack_with_certificates_serves_tls(tmp_path: Path) -> None:
    authority, environment = Authority(), clean_environment()
    for service in ("CASINO", "PROVIDER"):
        cert, key = authority.issue(tmp_path / service)
        environment |= {f"{service}_TLS_CERT_FILE": str(cert), f"{service}_TLS_KEY_FILE": str(key)}
        environment[f"{service}_CA_FILE"] = str(authority.write(tmp_path / "ca.pem"))
    with serving(tmp_path / "state", **environment) as stack:
        played = stack.run("simulate")
        assert played.returncode == 0, played.stdout + played.stderr
        assert stack.output.count("  https://127.0.0.1:") == 2, stack.output
        stack.stop()


def test_a_key_is_exchanged_under_a_running_stack_with_a_file_for_each_service(running: Serving) -> None:
    """Rotate as docs/secrets.md says: add the key where it verifies, then where it signs, then end the old key."""
    secret = "a second secret of the direction casino"
    added = json.dumps([{"id": "k2", "secret": secret}])
    alone = json.dumps([{"id": "main", "notAfter": "2020-01-01T00:00:00Z"}, {"id": "k2", "secret": secret}])

    def give(service: str, keys: str, live: str) -> None:
        new = running.state / "keys" / service / "casino.json.new"
        new.write_text(keys)
        new.replace(new.with_suffix(""))
        log = running.state / "logs" / f"{service}.log"
        wait_until(
            lambda: live in log.read_text().rpartition("live_keys_changed")[2], log.read_text, seconds=READY_SECONDS
        )

    for service, keys, live in [
        ("casino", added, "['main', 'k2']"),
        ("provider", added, "['main', 'k2']"),
        ("provider", alone, "['k2']"),
        ("casino", alone, "['k2']"),
    ]:
        give(service, keys, live)
        assert running.run("simulate").returncode == 0, f"{live} at {service}"


def test_the_addresses_for_operations_are_printed_and_answer(running: Serving) -> None:
    printed = re.findall(r"http://\S+(?:/metrics|/health/wallet)", running.output)
    ports = [running.environment[f"{name}_OPS_PORT"] for name in ("CASINO", "PROVIDER", "PROVIDER")]
    assert [str(httpx.URL(url).port) for url in printed] == ports
    assert [httpx.get(url, trust_env=False, verify=False).status_code for url in printed] == [200, 200, 200]


def test_the_logs_are_on_the_terminal_with_a_name_and_in_files(running: Serving) -> None:
    assert running.run("simulate").returncode == 0
    for service, name in (("casino", "casino   | "), ("provider", "provider | ")):
        wait_until(lambda name=name: name in running.output, lambda: running.output)  # type: ignore[misc]
        log = (running.state / "logs" / f"{service}.log").read_text()
        assert log
        assert "demo-only" not in log
        assert f"{service}-secret" not in log


@pytest.mark.parametrize("victim", sampled(["casino", "provider", "postgres"], 1))
def test_the_death_of_a_child_ends_the_stack_with_a_failure(tmp_path: Path, victim: str) -> None:
    with serving(tmp_path / "state") as stack:
        children = stack.children()
        os.kill(children[victim], signal.SIGKILL)
        assert stack.process.wait(STOP_SECONDS) == 1
    assert "FAILED" in stack.output
    assert not [name for name, pid in children.items() if is_alive(pid)]


def test_killing_the_stack_itself_leaves_no_orphan_and_keeps_the_balances(tmp_path: Path) -> None:
    """Ctrl-C ends the second one in order."""
    with serving(tmp_path / "state") as stack:
        assert stack.run("simulate").stdout.splitlines()[-1] == "PASSED  final balance 1,001,000 USD"
        children = stack.children()
        stack.stop(signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, children.values())), lambda: str(children), seconds=ORPHAN_SECONDS)
    with serving(tmp_path / "state") as again:
        assert again.run("simulate").stdout.splitlines()[-1] == "PASSED  final balance 1,002,000 USD"
        require_a_stop_in_order(again, signal.SIGINT)


def test_two_stacks_in_one_state_folder_are_refused(running: Serving) -> None:
    second = run_command("serve", running.environment | free_ports())
    assert (second.returncode, "STACK_STATE_DIR" in second.stderr) == (1, True)


def test_demo_data_is_refused_beside_a_running_stack(running: Serving) -> None:
    beside = running.run("demo-data --bets 100")
    assert (beside.returncode, "another stack is running" in beside.stderr) == (1, True), beside.stderr


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        environment = clean_environment() | free_ports() | {"CASINO_PORT": str(port), "STACK_STATE_DIR": str(tmp_path)}
        done = run_command("serve", environment)
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "CASINO_PORT" in done.stderr
    assert not (tmp_path / "postgres").exists()


def test_simulate_without_a_stack_says_how_to_start_one() -> None:
    done = run_command("simulate", clean_environment() | {"CASINO_URL": f"http://127.0.0.1:{free_port()}"})
    assert done.returncode == 1
    assert "make serve" in done.stderr


def test_another_database_can_be_given_for_both_services(tmp_path: Path) -> None:
    with Postgres(tmp_path / "elsewhere") as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("create database given")
        given = database_urls("casino", server.url("given")) | database_urls("provider", server.url("given"))
        half = {name: url for name, url in given.items() if "OWNER" not in name}
        refused = run_command(
            "serve", clean_environment() | free_ports() | half | {"STACK_STATE_DIR": str(tmp_path / "half")}
        )
        assert (refused.returncode, "CASINO_OWNER_DATABASE_URL" in refused.stderr) == (1, True)
        with serving(tmp_path / "state", **given) as stack:
            assert set(stack.children()) == {"casino", "provider"}
            assert stack.run("simulate").returncode == 0
            assert stack.stop() == 0
        with psycopg.connect(server.url("given")) as connection:
            assert connection.execute("select to_regnamespace('casino') is not null").fetchone() == (True,)


def test_neither_service_can_see_the_schema_of_the_other(running: Serving) -> None:
    for own, other in (("casino", "provider"), ("provider", "casino")):
        settings = (running.state / f"{own}.env").read_text()
        (url,) = re.findall(rf"^{own.upper()}_DATABASE_URL=(\S+)$", settings, re.M)
        with psycopg.connect(url, options=f"-c role={own}_app", autocommit=True) as connection:
            seen = "select has_schema_privilege(%s, 'usage')"
            assert connection.execute(seen, (own,)).fetchone() == (True,)
            assert connection.execute(seen, (other,)).fetchone() == (False,)
            for role in (f"{own}_owner", f"{other}_app", f"{other}_owner", "postgres"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"set role {role}".encode())


def test_a_stack_that_is_told_to_stop_while_it_starts_stops(tmp_path: Path) -> None:
    environment = clean_environment() | free_ports()
    with subprocess.Popen(
        [sys.executable, "-m", "local_stack", "serve"],
        env=environment | {"STACK_STATE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as starting:
        wait_until((tmp_path / "postgres").exists, "PostgreSQL is on its way", seconds=READY_SECONDS)
        starting.terminate()
        said, _ = starting.communicate(timeout=STOP_SECONDS)
    assert starting.returncode == 0, said
    assert not is_taken(int(environment["CASINO_PORT"]))
