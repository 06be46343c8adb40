"""Protocol sections 1 and 6: request ids, methods, media types, paths, and the two health endpoints."""

import re
import socket
from urllib.parse import urlsplit

import pytest

from e2e_testing.answers import Answer, judged
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.stack import Stack


def balance_with(session: GameSession, **headers: str) -> Answer:
    wallet = session.wallet
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return wallet.send(wallet.signer.prepare("POST", "/casino/getBalance", session.who(), headers=fields))


def test_a_sane_request_id_is_echoed(session: GameSession) -> None:
    mine = f"e2e-{new_id()}"
    assert balance_with(session, x_request_id=mine).headers["x-request-id"] == mine


def test_without_a_request_id_each_answer_has_one_of_its_own(session: GameSession) -> None:
    first, second = (balance_with(session).headers["x-request-id"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize("insane", ["x" * 1000, 'a"b\\c', "<script>", "a b\tc"], ids=["long", "quotes", "html", "tab"])
def test_an_insane_request_id_is_replaced(session: GameSession, insane: str) -> None:
    answer = balance_with(session, x_request_id=insane)
    assert answer.status == 200
    assert re.fullmatch(r"[0-9A-Za-z_.:-]{8,128}", answer.headers["x-request-id"])


def test_an_error_names_the_callers_request_id(session: GameSession) -> None:
    wallet, mine = session.wallet, f"e2e-{new_id()}"
    signed = wallet.signer.prepare("POST", "/casino/debit", session.debit_content(1), headers={"x-request-id": mine})
    answer = wallet.send(signed).must_be_signed()
    assert (answer.content["requestId"], answer.headers["x-request-id"]) == (mine, mine)


def test_a_refused_signature_is_answered_with_the_callers_request_id_too(session: GameSession) -> None:
    wallet, mine = session.wallet, f"e2e-{new_id()}"
    signed = wallet.signer.prepare(
        "POST", "/casino/debit", session.debit_content(), signature_values=[], headers={"x-request-id": mine}
    )
    assert wallet.send(signed).content["requestId"] == mine


def test_a_request_id_is_in_the_log_lines_of_both_services(stack: Stack, database: object) -> None:
    mine = f"e2e-{new_id()}"
    content = {"userId": stack.open_player(), "gameId": "1"}
    stack.as_player("simulateRound", content, {"x-request-id": mine}).must_be_ok()
    assert mine in stack.casino_process.log_tail()
    assert mine in stack.provider_process.log_tail()


def test_no_log_line_tells_a_token_or_a_secret(stack: Stack, session: GameSession, database: object) -> None:
    session.bet()
    stack.simulate(session.user_id).must_be_ok()
    for service in stack.services.values():
        log = service.log_path.read_text(errors="replace")
        for secret in (session.token, stack.casino.secret, stack.provider.secret):
            assert secret not in log, f"{service.package} logs a secret"


@pytest.mark.provokes("method_not_allowed")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("endpoint", ["launchGame", "simulateRound"])
def test_a_client_endpoint_takes_only_posts(stack: Stack, endpoint: str, method: str) -> None:
    answer = judged(stack.client.request(method, f"{stack.casino.base_url}/casino/{endpoint}"), signature="")
    assert answer.verdict == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["/index.html", "/casino", "/casino/", "/casino/nope", "/provider/launch", "/favicon.ico"]
)
def test_a_path_that_is_no_endpoint_is_not_found(stack: Stack, path: str) -> None:
    answer = judged(stack.client.get(stack.casino.base_url + path), signature="")
    assert answer.verdict == (404, "not_found")


def test_a_trailing_slash_is_another_path(stack: Stack, session: GameSession) -> None:
    """No redirect: the signature is over the path as sent."""
    answer = session.wallet.send(session.wallet.signer.prepare("POST", "/casino/getBalance/", session.who()))
    assert answer.status in (401, 404)


@pytest.mark.provokes("unsupported_media_type")
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "identity, gzip"])
def test_a_compressed_body_is_refused_unread(session: GameSession, encoding: str) -> None:
    wallet = session.wallet
    headers = {"content-encoding": encoding}
    signed = wallet.signer.prepare("POST", "/casino/debit", session.debit_content(), headers=headers)
    assert wallet.send(signed).verdict == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_signed_body_is_read_as_json_whatever_its_header_says(session: GameSession, media_type: str) -> None:
    """No signature covers the header: somebody on the way could change it."""
    wallet = session.wallet
    signed = wallet.signer.prepare(
        "POST", "/casino/debit", session.debit_content(), headers={"content-type": media_type}
    )
    wallet.send(signed).must_be_ok()


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_by_any_of_its_spellings_is_accepted(session: GameSession, media_type: str) -> None:
    assert balance_with(session, content_type=media_type).status == 200


@pytest.mark.parametrize("service", ["casino", "provider"])
def test_a_service_is_alive_and_ready(stack: Stack, service: str) -> None:
    base_url = {"casino": stack.casino, "provider": stack.provider}[service].base_url
    for path in ("/health/live", "/health/ready"):
        response = stack.client.get(base_url + path)
        assert response.status_code == 200, path
        assert response.headers["x-request-id"]


def test_an_answer_tells_nothing_about_the_program_that_made_it(stack: Stack, session: GameSession) -> None:
    headers = balance_with(session).headers
    assert "server" not in headers
    assert "x-powered-by" not in headers


def test_a_connection_that_is_cut_in_the_middle_of_a_body_harms_nobody(stack: Stack, session: GameSession) -> None:
    before = session.balance()
    address = urlsplit(stack.casino.base_url)
    signed = session.wallet.signer.prepare("POST", "/casino/debit", session.debit_content())
    body = signed.request.content
    fields = "".join(f"{key}: {value}\r\n" for key, value in signed.request.headers.multi_items())
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
            connection.sendall(f"POST /casino/debit HTTP/1.1\r\n{fields}\r\n".encode() + body[: len(body) // 2])
    assert session.balance() == before
