"""Both services over TLS: they serve and believe each other, take new certificates, and call nobody else."""

import socket
import time
from pathlib import Path

import httpx
import pytest

from e2e_testing.service_process import ServiceProcess
from e2e_testing.stack import Stack, StartStack
from local_stack.certificates import Authority
from shared_service_testing.waiting import wait_until

PATIENCE_SECONDS = 60.0


def shown_by(service: ServiceProcess, authority: Authority) -> str:
    """The first host of the certificate that a new connection is shown."""
    context = authority.client_context()
    context.check_hostname = False
    address = ("127.0.0.1", service.port)
    with socket.create_connection(address, PATIENCE_SECONDS) as raw, context.wrap_socket(raw) as secured:
        presented = secured.getpeercert()
        assert presented is not None
        return str(presented["subjectAltName"][0][1])


PROCESSES = {"casino": 2, "provider": 1}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def secured(start_module_stack: StartStack, authority: Authority) -> Stack:
    return start_module_stack(authority=authority, casino_settings={"CASINO_WORKERS": str(PROCESSES["casino"])})


def test_a_round_is_played_and_a_new_certificate_is_taken_by_every_process(
    secured: Stack, authority: Authority, tmp_path: Path
) -> None:
    stack = secured
    assert stack.simulate(stack.open_player()).must_be_ok().content["passed"] is True
    kept = stack.session()
    for name, service in stack.services.items():
        assert shown_by(service, authority) == "localhost"
        files = Path(service.environment[f"{name.upper()}_TLS_CERT_FILE"]).parent
        # First the certificate alone, as a hand or a script would: the pair does not match for a while.
        authority.issue(tmp_path / name, "127.0.0.1", "renewed.test", valid_days=(-1, 60))
        (files / "cert.pem").write_bytes((tmp_path / name / "cert.pem").read_bytes())
        wait_until(lambda service=service: "certificate_refused" in service.log_tail(), service.log_tail)
        assert shown_by(service, authority) == "localhost"
        (files / "key.pem").write_bytes((tmp_path / name / "key.pem").read_bytes())
        wait_until(
            lambda name=name, service=service: service.log_tail().count("certificate_changed") == PROCESSES[name],
            service.log_tail,
        )
        assert {shown_by(service, authority) for _ in range(10)} == {"127.0.0.1"}
    # On the connection that was open all the time, and on new ones.
    kept.debit(1000).must_be_ok()
    assert stack.simulate(stack.open_player()).must_be_ok().content["passed"] is True
    days = (expiry_shown(stack.casino_process, "casino") - time.time()) / 86_400
    assert 59 < days < 61


def expiry_shown(service: ServiceProcess, name: str) -> float:
    page = httpx.get(f"{service.ops_url}/metrics", timeout=PATIENCE_SECONDS, trust_env=False).text
    return float(page.split(f"\n{name}_tls_certificate_expires_at_seconds ")[1].split("\n", 1)[0])


def test_the_listener_for_operations_is_plain(secured: Stack) -> None:
    for name, service in secured.services.items():
        ready = httpx.get(f"{service.ops_url}/health/ready", timeout=PATIENCE_SECONDS, trust_env=False)
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        with pytest.raises(httpx.TransportError):  # and the other one is not
            httpx.get(f"http://127.0.0.1:{service.port}/health/ready", timeout=PATIENCE_SECONDS, trust_env=False)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://127.0.0.1:{service.ops_port}/health/ready", timeout=PATIENCE_SECONDS, trust_env=False)
        assert expiry_shown(service, name) > time.time()


def test_a_casino_that_believes_another_authority_launches_nothing(start_stack: StartStack, tmp_path: Path) -> None:
    other = Authority().write(tmp_path / "other.pem")
    stack = start_stack(authority=Authority(), casino_settings={"CASINO_CA_FILE": str(other)})
    assert stack.launch(stack.open_player()).content["code"] == "provider_unreachable"


def test_a_provider_that_believes_another_authority_knows_that_its_bet_was_not_sent(
    start_stack: StartStack, tmp_path: Path
) -> None:
    other = Authority().write(tmp_path / "other.pem")
    stack = start_stack(
        authority=Authority(),
        # What the system of the host believes is not asked, and neither are variables for other programs.
        provider_settings={"PROVIDER_CA_FILE": str(other), "REQUESTS_CA_BUNDLE": "/nonexistent"},
    )
    report = stack.simulate(stack.open_player())
    assert report.content.get("passed") is not True
    pending = stack.books.row("select count(*) as open from provider.wallet_transactions where state = 'pending'")
    assert pending["open"] == 0
    assert stack.books.row("select count(*) as opened from casino.rounds")["opened"] == 0


def test_variables_of_the_host_make_no_other_authority_believed(start_stack: StartStack, tmp_path: Path) -> None:
    """Without a file of authorities the system's are believed, wherever OpenSSL's own variables point."""
    authority = Authority()
    ca = str(authority.write(tmp_path / "ca.pem"))
    stack = start_stack(
        authority=authority,
        casino_settings={"CASINO_CA_FILE": "", "SSL_CERT_FILE": ca, "SSL_CERT_DIR": str(tmp_path)},
    )
    assert stack.launch(stack.open_player()).content["code"] == "provider_unreachable"
