"""Ask a casino wallet for a balance with a signed request, and believe only a signed answer. No library is needed.

Usage: CASINO_SECRET=... python3 signing_client_15_lines.py http://127.0.0.1:8000 <sessionToken> <userId>
"""

import hashlib, hmac, json, os, secrets, sys, time, urllib.request


def mac(*lines: str) -> str:
    return hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()


secret, path = os.environ.get("CASINO_SECRET") or sys.exit("Set CASINO_SECRET."), "/casino/getBalance"
t, n, (wallet, *who) = str(int(time.time())), secrets.token_hex(16), sys.argv[1:] if sys.argv[3:] else sys.exit(__doc__)
body = json.dumps(dict(zip(("sessionToken", "userId"), who, strict=True))).encode()
v1 = mac("v1", t, n, "POST", path, hashlib.sha256(body).hexdigest())
headers = {"content-type": "application/json", "x-casino-signature": f"t={t},n={n},k=main,v1={v1}"}

with urllib.request.urlopen(urllib.request.Request(wallet + path, body, headers)) as response:
    answer, status, signature = response.read(), str(response.status), response.headers["x-casino-signature"]

theirs = dict(part.split("=") for part in signature.split(","))
expected = mac("v1-response", theirs["t"], n, status, hashlib.sha256(answer).hexdigest())
if not hmac.compare_digest(expected, theirs["v1"]):
    sys.exit("This is not the wallet's answer.")
print(answer.decode())
