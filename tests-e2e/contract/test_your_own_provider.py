"""The provider of docs/integrate.md, in each of its languages: against a real casino, and against lies and losses."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import httpx
import pytest

from e2e_testing.answers import Peer
from e2e_testing.signing_client import TIMEOUT_SECONDS, Signer, answer_mac, answer_verdict
from e2e_testing.stack import PROVIDER_HEADER, StartStack
from local_stack.ports import free_port

EXAMPLES = Path(__file__).parents[1] / "examples"
SECRET = "a-secret-of-this-test"
RUN_MAIN = {"python": [sys.executable, "-I", "your_own_provider.py"], "node": ["node", "your_own_provider.mjs"]}
SERVES = {
    "python": [
        sys.executable, "-c",
        "import sys, threading, your_own_provider as own; own.serve(int(sys.argv[1]), sys.argv[2]);"
        " print('ready', flush=True); threading.Event().wait()",
    ],
    "node": [
        "node", "--input-type=module", "-e",
        "const own = await import(process.cwd() + '/your_own_provider.mjs');"
        " await own.serve(Number(process.argv[1]), process.argv[2]); console.log('ready')",
    ],
}  # fmt: skip
BETS = {
    "python": [
        sys.executable, "-c",
        "import json, sys, your_own_provider as own\n"
        "placed = own.place_bet(own.Wallet(sys.argv[1], {'main': sys.argv[2]}), json.loads(sys.argv[3]))\n"
        "print(json.dumps(placed and placed[:2]))",
    ],
    "node": [
        "node", "--input-type=module", "-e",
        "const own = await import(process.cwd() + '/your_own_provider.mjs');"
        " const [, url, secret, bet] = process.argv;"
        " const placed = await own.placeBet(new own.Wallet(url, { main: secret }), JSON.parse(bet));"
        " console.log(JSON.stringify(placed && [placed.status, placed.content]))",
    ],
}  # fmt: skip
BET = {"sessionToken": "token", "userId": "u", "transactionId": "bet-1", "roundId": "round-1", "amount": 1000}
LAUNCH = {
    "sessionToken": "token", "casinoSessionId": "casino-1", "userId": "1", "gameId": "SLOTS_001", "currency": "USD",
    "casinoCode": "JAQPOT",
}  # fmt: skip


@pytest.fixture(params=["python", "node"])
def language(request: pytest.FixtureRequest) -> str:
    if request.param == "node" and shutil.which("node") is None:
        pytest.skip("this machine has no node, which this example is about")
    return str(request.param)


@pytest.mark.slow
def test_the_quickstart_plays_two_rounds_in_a_real_casino(start_stack: StartStack, language: str) -> None:
    port = free_port()
    stack = start_stack(casino_settings={"PROVIDER_URL": f"http://127.0.0.1:{port}"})
    player = stack.open_player()
    environment = {
        "PATH": os.environ["PATH"],
        "CASINO_SECRET": stack.casino.secret,
        "PROVIDER_SECRET": stack.provider.secret,
    }
    finished = subprocess.run(
        [*RUN_MAIN[language], stack.casino.base_url, str(port), player],
        cwd=EXAMPLES, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    assert (finished.returncode, finished.stderr) == (0, "")
    steps = [json.loads(line) for line in finished.stdout.splitlines()]
    told = {each["step"]: each["content"] for each in steps}
    feed = told.pop("feed")
    others = [each for each in steps if each["step"] in told]
    told_of = [(each["status"], each["replayed"], each["content"].get("balance")) for each in others]
    assert told_of == [
        (201, False, "1000000"), (200, False, "1000000"), (200, False, "999000"), (200, True, "999000"),
        (200, False, "1001000"), (200, False, "1000000"), (200, False, "1001000"), (200, True, "1000000"),
        (200, False, None), (200, False, "1001000"),
    ]  # fmt: skip
    assert told["look-up: its state"]["state"] == "rolled_back"
    assert [(row["type"], row["state"]) for row in feed] == [
        ("debit", "settled"), ("credit", "committed"), ("debit", "rolled_back"),
    ]  # fmt: skip


@pytest.fixture
def launches(language: str) -> Iterator[str]:
    """The address of an example that answers launches."""
    port = free_port()
    with subprocess.Popen(
        [*SERVES[language], str(port), SECRET], cwd=EXAMPLES, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield f"http://127.0.0.1:{port}"
        process.kill()


def test_launches_are_answered_as_the_contract_says(launches: str) -> None:
    signer = Signer(Peer(launches, PROVIDER_HEADER, SECRET))
    with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, verify=False) as client:

        def ask(content: Any = LAUNCH, path: str = "/provider/launch", **how: Any) -> tuple[int, dict[str, Any], str]:
            signed = signer.prepare("POST", path, content, **how)
            response = client.send(signed.request)
            verdict = answer_verdict(
                response.headers.get_list(PROVIDER_HEADER), secret=SECRET, nonce=signed.nonce,
                status=response.status_code, body=response.content,
            )  # fmt: skip
            return response.status_code, response.json(), verdict

        status, launched, verdict = ask(nonce="0" * 32)
        assert (status, verdict) == (200, "good")
        assert ask() == (200, launched, "good"), "a launch that comes twice is one session"
        refusals = {
            "other content": ask({**LAUNCH, "userId": "2"}),
            "unknown game": ask({**LAUNCH, "gameId": "NOT_THERE"}),
            "unknown path": ask(path="/provider/other"),
            "nonce again": ask(nonce="0" * 32),
            "wrong secret": ask(key="another"),
            "no signature": ask(signature_values=[]),
            "malformed": ask(signature_values=["t=1"]),
        }
        assert {how: (status, told["code"], verdict) for how, (status, told, verdict) in refusals.items()} == {
            "other content": (422, "idempotency_mismatch", "good"),
            "unknown game": (404, "game_not_found", "good"),
            "unknown path": (404, "not_found", "good"),
            "nonce again": (401, "nonce_replay", "good"),
            "wrong secret": (401, "bad_signature", "missing"),
            "no signature": (401, "signature_missing", "missing"),
            "malformed": (401, "signature_malformed", "missing"),
        }
        late = int(time.time()) - 500
        status, told, verdict = ask(timestamp=late)
        assert (status, told["code"], verdict) == (401, "timestamp_out_of_window", "good")
        assert told["serverTime"] >= late + 500


class Wallet(BaseHTTPRequestHandler):
    """Gives scripted answers, one for each request: status, content, whether it is signed. None cuts the connection."""

    script: ClassVar[list[tuple[int, dict[str, Any], bool] | None]] = []
    seen: ClassVar[list[tuple[str, dict[str, Any], int, str]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        parts = dict(part.split("=") for part in self.headers["x-casino-signature"].split(","))
        self.seen.append((self.path, json.loads(body), int(parts["t"]), parts["n"]))
        answer = self.script.pop(0)
        if answer is None:
            return
        status, content, signs = answer
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(raw)))
        if signs:
            own = answer_mac(secret=SECRET, timestamp=1, nonce=parts["n"], status=status, body=raw)
            self.send_header("x-casino-signature", f"t=1,n={parts['n']},k=main,v1={own}")
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def wallet_with(*script: tuple[int, dict[str, Any], bool] | None) -> Iterator[str]:
    Wallet.script, Wallet.seen = list(script), []
    with ThreadingHTTPServer(("127.0.0.1", 0), Wallet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def bet_at(language: str, url: str) -> Any:
    """What the example's bet came to: status and content, or None for one that was taken back."""
    finished = subprocess.run(
        [*BETS[language], url, SECRET, json.dumps(BET)],
        cwd=EXAMPLES, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
        check=True,
    )  # fmt: skip
    return json.loads(finished.stdout)


OK = (200, {"status": "ok"}, True)
PLACED = [200, {"status": "ok"}]


@pytest.mark.parametrize(
    ("code", "off_seconds", "is_signed", "least", "most"),
    [
        ("timestamp_out_of_window", 300, True, 250, 400),
        ("timestamp_out_of_window", 300, False, 0, 200),
        ("nonce_replay", 300, True, 0, 200),
        ("timestamp_out_of_window", 4000, True, 0, 200),
    ],
    ids=["signed", "unsigned", "for another reason", "beyond ten minutes"],
)
def test_only_a_signed_time_within_bounds_corrects_the_clock(
    *, language: str, code: str, off_seconds: int, is_signed: bool, least: int, most: int
) -> None:
    first = {"code": code, "serverTime": int(time.time()) + off_seconds}
    with wallet_with((401, first, is_signed), OK) as url:
        assert bet_at(language, url) == PLACED
    (_, content, told, nonce), (_, again, told_again, other_nonce) = Wallet.seen
    assert content == again == BET
    assert nonce != other_nonce
    assert least <= told_again - told <= most


@pytest.mark.parametrize("status", [409, 429, 503])
def test_what_did_nothing_is_repeated_with_the_same_id(language: str, status: int) -> None:
    with wallet_with((status, {"code": "any"}, False), OK) as url:
        assert bet_at(language, url) == PLACED
    assert [content for _, content, _, _ in Wallet.seen] == [BET, BET]


REFUSED = (401, {"code": "nonce_replay"}, True)


@pytest.mark.parametrize(
    "script",
    [
        [None],
        [(200, {"status": "ok"}, False)],
        [(402, {"code": "insufficient_balance"}, False)],
        [(500, {"code": "internal"}, True)],
        [(415, {"code": "unsupported_media_type"}, True)],
        [REFUSED, REFUSED],
    ],
    ids=["lost answer", "unsigned acceptance", "unsigned refusal", "500", "spoilt content type", "a second 401"],
)
def test_a_bet_whose_outcome_is_unknown_is_taken_back_until_the_wallet_answers(
    language: str, script: list[Any]
) -> None:
    with wallet_with(*script, None, OK) as url:
        assert bet_at(language, url) is None
    *bets, lost, rollback = [(path, content) for path, content, _, _ in Wallet.seen]
    assert bets == [("/casino/debit", BET)] * len(script)
    assert lost == rollback, "a rollback is repeated under one id"
    assert (rollback[0], rollback[1]["originalTransactionId"]) == ("/casino/rollback", "bet-1")
    assert rollback[1]["transactionId"] != "bet-1"


def test_a_signed_refusal_is_final(language: str) -> None:
    with wallet_with((402, {"code": "insufficient_balance"}, True)) as url:
        assert bet_at(language, url) == [402, {"code": "insufficient_balance"}]
