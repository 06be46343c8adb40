"""The cases of signed answers. All answer the request with the nonce of the protocol's vectors."""

from __future__ import annotations

from case_forms import ENDED, NONCE, PROVIDER, SECOND, T, response

OTHER_NONCE = "fedcba9876543210fedcba9876543210"
AS_REQUEST = "v1\n{t}\n{n}\nPOST\n/casino/getBalance\n{digest}"
REFUSAL = '{"error":"Not enough money.","code":"insufficient_balance","requestId":"r"}'
TOLD_TIME = '{"error":"x","code":"timestamp_out_of_window","requestId":"r","serverTime":1763690061}'
REPLAY = '{"error":"x","code":"nonce_replay","requestId":"r"}'

RESPONSES = [
    response("the answer of the protocol"),
    response("a refusal", status=402, body=REFUSAL),
    response("an error", status=500, body='{"error":"x","code":"internal","requestId":"r"}'),
    response("a signed time", status=401, body=TOLD_TIME),
    response("a signed replay", status=401, body=REPLAY),
    response("a time that nobody signed", "missing", status=401, body=TOLD_TIME, headers=[]),
    response(
        "a signed time that was changed",
        "bad",
        status=401,
        body=TOLD_TIME,
        sent={"body": TOLD_TIME.replace("69", "70")},
    ),
    response("an answer without a body", status=204, body=""),
    response("a body with letters beyond ASCII", body='{"error":"café 漢字 🎰"}'),
    response("a body that is not text", body=bytes(range(255, -1, -1))),
    response("no k means main", k=None),
    response("another live key", secret=SECOND, k="k2"),
    response("an hour old: there is no window", t=T - 3600),
    response("no header", "missing", headers=[]),
    response("an empty header", "bad", headers=[""]),
    response("the header twice", "bad", headers=["{usual}", "{usual}"]),
    response("a header that is cut", "bad", headers=["t=1763690001,n=0123"]),
    response("the status changed", "bad", status=402, sent={"status": 200}),
    response(
        "the body changed by one byte", "bad", sent={"body": '{"userId":"1","balance":"9000000","currency":"USD"}'}
    ),
    response("a line break after the body", "bad", body="{}", sent={"body": "{}\n"}),
    response("the answer to another request", "bad", n=OTHER_NONCE),
    response("the answer to another request under this nonce", "bad", n=OTHER_NONCE, sent={"n": NONCE}),
    response("this answer under another nonce", "bad", sent={"n": OTHER_NONCE}),
    response("t changed", "bad", sent={"t": T + 2}),
    response("a MAC of zeros", "bad", sent={"v1": "0" * 64}),
    response("the secret of the other direction", "bad", secret=PROVIDER),
    response("the MAC of another key", "bad", secret=SECOND),
    response("a key nobody has", "bad", k="k3"),
    response("a key that has ended", "bad", secret=ENDED, k="ended"),
    response("signed as a request", "bad", signed=AS_REQUEST),
    response("signed without the status", "bad", signed="v1-response\n{t}\n{n}\n{digest}"),
]
