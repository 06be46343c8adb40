"""Protocol section 2, requests: the seven refusals in their order, raw bytes, nonces, and the two directions."""

import json
import secrets
import time
from dataclasses import replace

import pytest

from e2e_testing.answers import Answer
from e2e_testing.game_session import GameSession, new_id
from e2e_testing.signing_client import Signer, SigningClient
from e2e_testing.stack import CASINO_HEADER, Stack

GET_BALANCE = "/casino/getBalance"
WINDOW_SECONDS = 60


@pytest.fixture(scope="module")
def session(stack: Stack) -> GameSession:
    """One player for the whole file: nearly nothing here gets as far as the wallet."""
    return stack.session()


def ask(session: GameSession, **tweaks: object) -> Answer:
    """A getBalance that is right but for the tweaks."""
    wallet = session.wallet
    return wallet.send(wallet.signer.prepare("POST", GET_BALANCE, session.who(), **tweaks))  # type: ignore[arg-type]


def require_unsigned_refusal(answer: Answer, code: str) -> None:
    assert answer.verdict == (401, code)
    assert answer.signature == "missing", "a request whose own signature does not hold gets an unsigned answer"


def require_signed_refusal(answer: Answer, code: str) -> None:
    assert answer.verdict == (401, code)
    assert answer.signature == "good", "the request's own signature held, so the refusal is bound to its nonce"


def good_value(session: GameSession, *, nonce: str | None = None) -> str:
    signer = session.wallet.signer
    body = json.dumps(session.who()).encode()
    return signer.header("POST", GET_BALANCE.encode(), body, nonce=nonce or secrets.token_hex(16))


@pytest.mark.provokes("signature_missing")
def test_a_request_without_a_signature_is_refused(session: GameSession) -> None:
    require_unsigned_refusal(ask(session, signature_values=[]), "signature_missing")


MALFORMED = {
    "empty": "",
    "words": "let me in",
    "no time": "n=0123456789abcdef,k=main,v1=" + "0" * 64,
    "no nonce": "t=1763690000,k=main,v1=" + "0" * 64,
    "no mac": "t=1763690000,n=0123456789abcdef,k=main",
    "nonce of 15": "t=1763690000,n=0123456789abcde,k=main,v1=" + "0" * 64,
    "nonce of 65": "t=1763690000,n=" + "a" * 65 + ",k=main,v1=" + "0" * 64,
    "nonce with a dot": "t=1763690000,n=0123456789abcde.,k=main,v1=" + "0" * 64,
    "time with a sign": "t=-1763690000,n=0123456789abcdef,k=main,v1=" + "0" * 64,
    "time as a float": "t=1763690000.5,n=0123456789abcdef,k=main,v1=" + "0" * 64,
    "mac of 63": "t=1763690000,n=0123456789abcdef,k=main,v1=" + "0" * 63,
    "mac of 65": "t=1763690000,n=0123456789abcdef,k=main,v1=" + "0" * 65,
    "mac in upper case": "t=1763690000,n=0123456789abcdef,k=main,v1=" + "A" * 64,
    "mac that is no hex": "t=1763690000,n=0123456789abcdef,k=main,v1=" + "g" * 64,
    "very long": "t=1763690000,n=0123456789abcdef,k=main,v1=" + "0" * 6000,
}


@pytest.mark.provokes("signature_malformed")
@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_header_that_is_not_well_formed_is_refused(session: GameSession, value: str) -> None:
    """Row E3."""
    require_unsigned_refusal(ask(session, signature_values=[value]), "signature_malformed")


def test_two_signature_headers_are_refused_even_when_both_are_good(session: GameSession) -> None:
    """Row E3."""
    values = [good_value(session), good_value(session)]
    require_unsigned_refusal(ask(session, signature_values=values), "signature_malformed")


@pytest.mark.provokes("unknown_key")
def test_a_key_that_nobody_knows_is_refused(session: GameSession) -> None:
    value = good_value(session).replace("k=main", "k=stranger")
    require_unsigned_refusal(ask(session, signature_values=[value]), "unknown_key")


def test_an_absent_key_id_means_main(session: GameSession) -> None:
    answer = ask(session, signature_values=[good_value(session).replace("k=main,", "")])
    assert answer.status == 200


@pytest.mark.provokes("bad_signature")
def test_a_signature_made_with_another_secret_is_refused(session: GameSession) -> None:
    require_unsigned_refusal(ask(session, key="not-the-secret"), "bad_signature")


def test_a_signature_made_with_the_other_directions_secret_is_refused(stack: Stack, session: GameSession) -> None:
    require_unsigned_refusal(ask(session, key=stack.provider.secret), "bad_signature")


def test_each_covered_part_is_covered(session: GameSession) -> None:
    """Row E2. The same signature over another method, path, query or body."""
    signed = session.wallet.signer.prepare("POST", GET_BALANCE, session.who())
    header = {CASINO_HEADER: signed.request.headers[CASINO_HEADER]}
    body = json.dumps(session.who()).encode()
    others = [
        ("POST", GET_BALANCE, body + b" "),
        ("POST", GET_BALANCE, body.replace(b"userId", b"UserId")),
        ("POST", GET_BALANCE + "?x=1", body),
        ("POST", "/casino/debit", body),
        ("GET", "/casino/transactions?after=0", None),
        ("PUT", GET_BALANCE, body),
    ]
    for method, target, content in others:
        changed = session.wallet.signer.prepare(method, target, content, signature_values=[], headers=header)
        require_unsigned_refusal(session.wallet.send(changed), "bad_signature")
    assert session.wallet.send(signed).status == 200, "none of the refused ones used the nonce up"


def test_the_signature_is_over_the_raw_bytes_however_the_json_is_written(session: GameSession) -> None:
    """Row E2. Pitfall 12."""
    odd = json.dumps(session.who() | {"note": "Grüße  ✓"}, ensure_ascii=False, indent=3).encode() + b"\n\n "
    assert session.wallet.post(GET_BALANCE, odd).status == 200


@pytest.mark.provokes("timestamp_out_of_window")
@pytest.mark.parametrize("skew_seconds", [-WINDOW_SECONDS - 5, WINDOW_SECONDS + 5, -86400, 86400])
def test_a_time_outside_the_window_is_refused_and_told_the_servers_time(
    session: GameSession, skew_seconds: int
) -> None:
    answer = ask(session, timestamp=int(time.time()) + skew_seconds)
    require_signed_refusal(answer, "timestamp_out_of_window")
    assert abs(answer.content["serverTime"] - time.time()) < 30


@pytest.mark.parametrize("skew_seconds", [-WINDOW_SECONDS + 5, WINDOW_SECONDS - 5])
def test_a_time_inside_the_window_is_accepted(session: GameSession, skew_seconds: int) -> None:
    assert ask(session, timestamp=int(time.time()) + skew_seconds).must_be_signed().status == 200


def test_one_new_signature_with_the_servers_time_is_enough(session: GameSession) -> None:
    told = ask(session, timestamp=int(time.time()) - 3600).content["serverTime"]
    assert ask(session, timestamp=told).must_be_signed().status == 200


@pytest.mark.provokes("nonce_replay")
def test_a_nonce_is_accepted_once(session: GameSession) -> None:
    """Row E1."""
    signed = session.wallet.signer.prepare("POST", GET_BALANCE, session.who())
    assert session.wallet.send(signed).status == 200
    require_signed_refusal(session.wallet.send(signed), "nonce_replay")


def test_a_used_nonce_is_refused_on_another_request_too(session: GameSession) -> None:
    """Row E1."""
    nonce = secrets.token_hex(16)
    assert ask(session, nonce=nonce).status == 200
    wallet = session.wallet
    debit = wallet.signer.prepare("POST", "/casino/debit", session.debit_content(), nonce=nonce)
    require_signed_refusal(wallet.send(debit), "nonce_replay")


@pytest.mark.parametrize("nonce", ["0123456789abcdefXYZ-_" + "q" * 43, "z" * 13 + "-_Z"], ids=["64", "16"])
def test_nonces_of_every_allowed_length_and_letter_are_accepted(session: GameSession, nonce: str) -> None:
    """Row E6."""
    fresh = secrets.token_hex(4) + nonce[8:]
    assert ask(session, nonce=fresh).must_be_signed().status == 200


def test_a_forgery_does_not_use_up_the_nonce_of_the_true_request(session: GameSession) -> None:
    """Row E6."""
    nonce = secrets.token_hex(16)
    require_unsigned_refusal(ask(session, nonce=nonce, key="forger"), "bad_signature")
    require_signed_refusal(ask(session, nonce=nonce, timestamp=int(time.time()) - 3600), "timestamp_out_of_window")
    assert ask(session, nonce=nonce).must_be_signed().status == 200


def test_the_refusals_come_in_the_order_of_the_contract(session: GameSession) -> None:
    """Each request has every later fault as well; the earliest one is named."""
    old = int(time.time()) - 3600
    used = secrets.token_hex(16)
    assert ask(session, nonce=used).status == 200
    forged_unknown = f"t={old},n={used},k=stranger,v1=" + "0" * 64
    require_unsigned_refusal(ask(session, signature_values=[forged_unknown]), "unknown_key")
    require_unsigned_refusal(ask(session, nonce=used, timestamp=old, key="forger"), "bad_signature")
    require_signed_refusal(ask(session, nonce=used, timestamp=old), "timestamp_out_of_window")
    require_signed_refusal(ask(session, nonce=used), "nonce_replay")


def test_nothing_is_parsed_before_the_signature_holds(session: GameSession) -> None:
    wallet = session.wallet
    nonsense = wallet.signer.prepare("POST", "/casino/debit", b"{not json", key="forger")
    require_unsigned_refusal(wallet.send(nonsense), "bad_signature")
    unknown = wallet.signer.prepare("GET", "/casino/transactions/never-seen?userId=1", signature_values=[])
    require_unsigned_refusal(wallet.send(unknown), "signature_missing")


def test_a_refused_request_moves_nothing(session: GameSession) -> None:
    before = session.balance()
    wallet = session.wallet
    require_unsigned_refusal(
        wallet.send(wallet.signer.prepare("POST", "/casino/debit", session.debit_content(), key="forger")),
        "bad_signature",
    )
    assert session.balance() == before


@pytest.mark.parametrize("endpoint", ["getBalance", "debit", "credit", "rollback"])
def test_every_wallet_endpoint_needs_a_signature(session: GameSession, endpoint: str) -> None:
    wallet = session.wallet
    naked = wallet.signer.prepare("POST", f"/casino/{endpoint}", session.who(), signature_values=[])
    require_unsigned_refusal(wallet.send(naked), "signature_missing")


@pytest.mark.parametrize("target", ["/casino/transactions?after=0", "/casino/transactions/any?userId=1"])
def test_the_feed_and_the_look_up_need_a_signature(session: GameSession, target: str) -> None:
    wallet = session.wallet
    naked = wallet.signer.prepare("GET", target, signature_values=[])
    require_unsigned_refusal(wallet.send(naked), "signature_missing")


@pytest.mark.parametrize("endpoint", ["launch", "simulate"])
def test_the_providers_endpoints_refuse_in_the_same_way(stack: Stack, endpoint: str) -> None:
    client = stack.signing_client(stack.provider)
    path, content = f"/provider/{endpoint}", {"userId": "1"}

    def refused(**tweaks: object) -> Answer:
        return client.send(client.signer.prepare("POST", path, content, **tweaks))  # type: ignore[arg-type]

    require_unsigned_refusal(refused(signature_values=[]), "signature_missing")
    require_unsigned_refusal(refused(signature_values=["nonsense"]), "signature_malformed")
    require_unsigned_refusal(refused(key=stack.casino.secret), "bad_signature")
    require_signed_refusal(refused(timestamp=int(time.time()) - 3600), "timestamp_out_of_window")
    nonce = secrets.token_hex(16)
    assert refused(nonce=nonce).must_be_signed().verdict == (400, "invalid_field")
    require_signed_refusal(refused(nonce=nonce), "nonce_replay")


def test_a_message_of_one_direction_is_worth_nothing_in_the_other(stack: Stack, session: GameSession) -> None:
    """Row E1. A call that the casino signed for the provider, shown to the casino under the casino's header name."""
    content = session.debit_content(transaction_id=new_id())
    as_provider_sees_it = Signer(replace(stack.provider, base_url=stack.casino.base_url))
    signed = as_provider_sees_it.prepare("POST", "/casino/debit", content)
    stolen = signed.request.headers[stack.provider.header_name]
    client = SigningClient(stack.casino)
    shown = client.signer.prepare("POST", "/casino/debit", content, signature_values=[stolen])
    require_unsigned_refusal(client.send(shown), "bad_signature")
    client.close()
