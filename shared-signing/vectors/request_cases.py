"""The cases of signed requests: those that hold, and those that are refused, each with its refusal.

This file owns the list of what can be right or wrong with a request. It must never import the library under test.
"""

from __future__ import annotations

from case_forms import BODY, ENDED, ENDING, LONG_ID, LONG_ID_SECRET, NONCE, PROVIDER, SECOND, T, malformed, request

OTHER_NONCE = "fedcba9876543210fedcba9876543210"
FEED = "/casino/transactions?after=0&limit=100"
USUAL_BYTES = 122
"""Length of the usual header under the key `main`."""

ACCEPTED = [
    request("the request of the protocol"),
    request("the feed of the protocol", method="GET", target=FEED, body=""),
    request("no k means main", k=None),
    request("parameters in another order", headers=["v1={v1},k=main,n=" + NONCE + f",t={T}"]),
    request("a later version is ignored", headers=["{usual},v2=later+base64=="]),
    request("an unknown parameter is ignored", headers=["trace-id=a:b;c,{usual}"]),
    request("exactly 512 bytes of header", headers=["{usual},pad=" + "x" * (512 - USUAL_BYTES - len(",pad="))]),
    request("an empty body", body=""),
    request("a body with spaces and line breaks", body='{ "sessionToken" : "s",\n\t"userId" : "1" }\r\n'),
    request("a body with letters beyond ASCII", body='{"userId":"1","note":"café 漢字 🎰"}'),
    request("the same letters escaped are another body", body='{"userId":"1","note":"caf\\u00e9"}'),
    request("a body that starts with a byte order mark", body="\ufeff" + BODY),
    request("a body that is not text", body=bytes(range(256))),
    request("empty values in the query", method="GET", target="/casino/transactions?after=&limit=", body=""),
    request("a query with ?, / and +", method="GET", target="/casino/transactions?after=a?b/c+d&x", body=""),
    request("an encoded slash stays encoded", method="GET", target="/casino/transactions/a%2Fb?userId=1", body=""),
    request("upper-case percent-encoding", method="GET", target="/casino/transactions/%C3%A9?userId=1", body=""),
    request("lower-case percent-encoding", method="GET", target="/casino/transactions/%c3%a9?userId=1", body=""),
    request("percent-encoding that nobody needed", method="GET", target="/%63asino/transactions?after=%30", body=""),
    request("dots, double slashes and a slash at the end", target="/casino/./x/..//getBalance/"),
    request("every other sign of a path", target="/casino/a;b=c,d@e:f!g$h&i'j(k)l*m~n-o_p.q"),
    request("the root", method="GET", target="/", body=""),
    request("another method", method="DELETE", target="/casino/x", body=""),
    request("the newest key", secret=SECOND, k="k2"),
    request("a key in its last second", secret=ENDING, k="ending"),
    request("the longest key id, a secret beyond ASCII", secret=LONG_ID_SECRET, k=LONG_ID),
    request("the shortest nonce", n="0_-aZ45678901234"),
    request("the longest nonce", n="-_" * 32),
    request("the longest timestamp", t=999999999999, now=999999999999),
    request("a clock 60 s behind", now=T + 60),
    request("a clock 60 s ahead", now=T - 60),
    request("another nonce was seen", seen=[["main", OTHER_NONCE]]),
    request("the other direction with its own key", keys="provider", secret=PROVIDER, target="/provider/launch"),
]

SHAPES = [
    malformed("an empty value", ""),
    malformed("a bare MAC", "{v1}"),
    malformed("the same header twice", "{usual}", "{usual}"),
    malformed("a good header after a bad one", "t=1", "{usual}"),
    malformed("two headers folded into one", "{usual}, {usual}"),
    malformed("no t", f"n={NONCE},k=main,v1={{v1}}"),
    malformed("no n", f"t={T},k=main,v1={{v1}}"),
    malformed("no v1", f"t={T},n={NONCE},k=main"),
    malformed("t twice", f"t={T},{{usual}}"),
    malformed("v1 twice", "{usual},v1={v1}"),
    malformed("an unknown parameter twice", "{usual},pad=1,pad=1"),
    malformed("an unknown parameter with a short name", "{usual},x=1"),
    malformed("k under another name", f"t={T},n={NONCE},j=main,v1={{v1}}"),
    malformed("k under a longer name", f"t={T},n={NONCE},kk=main,v1={{v1}}"),
    malformed("t with a leading zero", f"t=0{T},n={NONCE},k=main,v1={{v1}}"),
    malformed("t with a sign", f"t=+{T},n={NONCE},k=main,v1={{v1}}"),
    malformed("t below zero", f"t=-{T},n={NONCE},k=main,v1={{v1}}"),
    malformed("t with a fraction", f"t={T}.0,n={NONCE},k=main,v1={{v1}}"),
    malformed("t in other digits", f"t=١٧٦٣٦٩٠٠٠٠,n={NONCE},k=main,v1={{v1}}"),
    malformed("t of 13 digits", t=10**12, now=T),
    malformed("n of 15 characters", n="0" * 15),
    malformed("n of 65 characters", n="0" * 65),
    malformed("n with a sign that is not allowed", n="0123456789abcdef."),
    malformed("an empty k", k=""),
    malformed("k of 65 characters", k="k" * 65),
    malformed("k with a sign that is not allowed", k="main/2"),
    malformed("v1 cut by one", f"t={T},n={NONCE},k=main,v1=" + "a" * 63),
    malformed("v1 longer by one", "{usual}0"),
    malformed("v1 in upper case", f"t={T},n={NONCE},k=main,v1=" + "A" * 64),
    malformed("v1 not hex", f"t={T},n={NONCE},k=main,v1=" + "g" * 64),
    malformed("a space after a comma", f"t={T}, n={NONCE},k=main,v1={{v1}}"),
    malformed("a comma at the end", "{usual},"),
    malformed("quotes around a value", f't={T},n="{NONCE}",k=main,v1={{v1}}'),
    malformed("a name in upper case", f"T={T},n={NONCE},k=main,v1={{v1}}"),
    malformed("a part without =", "{usual},pad"),
    malformed("a line break at the end", "{usual}\n"),
    malformed("letters beyond ASCII", "{usual},pad=é"),
    malformed("513 bytes of header", "{usual},pad=" + "x" * (513 - USUAL_BYTES - len(",pad="))),
    malformed("a header of 8 KiB", "{usual}," + "x" * 8192),
]

KEYS_AND_MACS = [
    request("a key nobody has", "unknown_key", k="k3"),
    request("a key id in other letters", "unknown_key", k="Main"),
    request("a key that has just ended", "unknown_key", secret=ENDED, k="ended"),
    request("a key that ended while on its way", "unknown_key", secret=ENDING, k="ending", now=T + 1),
    request("an unknown key comes before the window", "unknown_key", k="k3", now=T + 999),
    request("another secret", "bad_signature", secret=PROVIDER + "!"),
    request("the secret of the other direction", "bad_signature", secret=PROVIDER),
    request("a request of the other direction", "bad_signature", keys="provider"),
    request("the MAC of another key", "bad_signature", secret=SECOND),
    request("k changed to another key", "bad_signature", sent={"k": "k2"}),
    request("the method changed", "bad_signature", sent={"method": "PUT"}),
    request("the method in lower case", "bad_signature", sent={"method": "post"}),
    request("the path changed", "bad_signature", sent={"target": "/casino/getBalancf"}),
    request("the path in lower case", "bad_signature", sent={"target": "/casino/getbalance"}),
    request("a slash added", "bad_signature", sent={"target": "/casino/getBalance/"}),
    request("a query added", "bad_signature", sent={"target": "/casino/getBalance?a=1"}),
    request("the query dropped", "bad_signature", target=FEED, sent={"target": "/casino/transactions"}),
    request(
        "the query in another order",
        "bad_signature",
        target=FEED,
        sent={"target": "/casino/transactions?limit=100&after=0"},
    ),
    request("percent-encoding undone", "bad_signature", target="/casino/%41", sent={"target": "/casino/A"}),
    request("percent-encoding in the other case", "bad_signature", target="/x/%c3", sent={"target": "/x/%C3"}),
    request("the body changed by one byte", "bad_signature", sent={"body": BODY.replace("1", "2")}),
    request("a line break after the body", "bad_signature", sent={"body": BODY + "\n"}),
    request("the body written anew", "bad_signature", sent={"body": '{"sessionToken": "s", "userId": "1"}'}),
    request("the body emptied", "bad_signature", sent={"body": ""}),
    request("t changed", "bad_signature", sent={"t": T + 1}),
    request("n changed", "bad_signature", sent={"n": OTHER_NONCE}),
    request("n in upper case", "bad_signature", sent={"n": NONCE.upper()}),
    request("a MAC of zeros", "bad_signature", sent={"v1": "0" * 64}),
    request("a MAC with its first digit changed", "bad_signature", sent={"v1": "5" + "3" * 63}),
    request(
        "signed with a line break at the end", "bad_signature", signed="v1\n{t}\n{n}\n{method}\n{target}\n{digest}\n"
    ),
    request("signed with CRLF", "bad_signature", signed="v1\r\n{t}\r\n{n}\r\n{method}\r\n{target}\r\n{digest}"),
    request("signed with an upper-case digest", "bad_signature", signed="v1\n{t}\n{n}\n{method}\n{target}\n{upper}"),
    request("signed without the version", "bad_signature", signed="{t}\n{n}\n{method}\n{target}\n{digest}"),
    request("signed as an answer", "bad_signature", signed="v1-response\n{t}\n{n}\n200\n{digest}"),
    request("a bad MAC comes before the window", "bad_signature", sent={"v1": "0" * 64}, now=T + 999),
    request("a bad MAC comes before a replay", "bad_signature", sent={"v1": "0" * 64}, seen=[["main", NONCE]]),
]

TIMES_AND_NONCES = [
    request("a clock 61 s behind", "timestamp_out_of_window", now=T + 61),
    request("a clock 61 s ahead", "timestamp_out_of_window", now=T - 61),
    request("a request of yesterday", "timestamp_out_of_window", now=T + 86_400),
    request("a timestamp far in the future", "timestamp_out_of_window", t=T * 100, now=T),
    request("t of zero", "timestamp_out_of_window", t=0),
    request("the window comes before a replay", "timestamp_out_of_window", now=T + 61, seen=[["main", NONCE]]),
    request("the same nonce again", "nonce_replay", seen=[["main", NONCE]]),
    request("the same nonce with another body", "nonce_replay", body="{}", seen=[["main", NONCE]]),
    request("the same nonce without k", "nonce_replay", k=None, seen=[["main", NONCE]]),
    request("the nonce was seen under another key", "nonce_replay", secret=SECOND, k="k2", seen=[["main", NONCE]]),
]

REFUSED = [
    request("no header", "signature_missing", headers=[]),
    request("no header comes before everything", "signature_missing", headers=[], now=T + 999, body=""),
    *SHAPES,
    *KEYS_AND_MACS,
    *TIMES_AND_NONCES,
]
