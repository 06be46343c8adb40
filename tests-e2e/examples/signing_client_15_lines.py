"""Ask a casino wallet for a balance: a signed request, and a signed answer. Python's standard library is enough."""
import hashlib, hmac, json, os, secrets, sys, time, urllib.request

wallet, secret, session_token, user_id = sys.argv[1], os.environ["CASINO_SECRET"].encode(), sys.argv[2], sys.argv[3]

def mac(*lines: str) -> str:
    return hmac.new(secret, "\n".join(lines).encode(), hashlib.sha256).hexdigest()

path, t, n = "/casino/getBalance", str(int(time.time())), secrets.token_hex(16)
body = json.dumps({"sessionToken": session_token, "userId": user_id}).encode()
v1 = mac("v1", t, n, "POST", path, hashlib.sha256(body).hexdigest())
headers = {"content-type": "application/json", "x-casino-signature": f"t={t},n={n},k=main,v1={v1}"}
with urllib.request.urlopen(urllib.request.Request(wallet + path, body, headers)) as response:
    answer, signature = response.read(), dict(part.split("=", 1) for part in response.headers["x-casino-signature"].split(","))
expected = mac("v1-response", signature["t"], n, str(response.status), hashlib.sha256(answer).hexdigest())
print(answer.decode() if hmac.compare_digest(expected, signature["v1"]) else sys.exit("This is not the wallet's answer."))
