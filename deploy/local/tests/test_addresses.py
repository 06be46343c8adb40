"""A service that listens on another address than 127.0.0.1 is found there."""

import socket
from pathlib import Path

import pytest

from local_stack.ports import is_taken
from local_stack.settings import from_environment
from local_stack_testing.serving import clean_environment, free_ports, run_command, serving
from shared_service_testing.sampling import sampled


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on its loopback")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "127.0.0.1"),
        (" ", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.2"),
        ("localhost", "localhost"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
    ],
)
def test_the_address_that_is_asked(host: str, address: str) -> None:
    settings = from_environment({"CASINO_HOST": host, "PROVIDER_HOST": host})
    assert settings.url("casino") == f"http://{address}:8000"
    assert settings.base["CASINO_URL"] == f"http://{address}:8000"
    assert settings.base["PROVIDER_URL"] == f"http://{address}:8100"


@pytest.mark.parametrize("host", sampled(["::", "127.0.0.2"], 1))
def test_a_stack_on_that_host_plays_a_round(host: str, tmp_path: Path) -> None:
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6 on its loopback")
    with serving(tmp_path / "state", CASINO_HOST=host, PROVIDER_HOST=host) as stack:
        played = stack.run("simulate")
        assert played.returncode == 0, played.stdout + played.stderr


@needs_ipv6
def test_a_port_is_taken_where_its_host_says() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as holder:
        port = holder.getsockname()[1]
        assert is_taken(port, "::1")
        assert is_taken(port, "::")
        assert not is_taken(port, "127.0.0.1")


def test_a_host_of_another_machine_is_a_sentence(tmp_path: Path) -> None:
    environment = clean_environment() | free_ports()
    environment |= {"CASINO_HOST": "203.0.113.9", "STACK_STATE_DIR": str(tmp_path / "state")}
    done = run_command("serve", environment)
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (1, False)
    assert "set CASINO_HOST and CASINO_PORT" in done.stderr.replace("\n", " ")
