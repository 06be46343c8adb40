"""A provider of your own in plain Python: it answers launches, calls the wallet, and believes signed answers only.

    export CASINO_SECRET=casino-secret PROVIDER_SECRET=provider-secret
    python3 your_own_provider.py http://127.0.0.1:8000 9100

It listens on port 9100, launches a game as a player's client would, plays two rounds and prints each step.
docs/integrate.md explains it. What a real provider needs besides is marked with REAL.
"""

import hashlib, hmac, http.client, json, os, re, secrets, sys, threading, time, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

CALL_SECONDS = 8
TRIES_MAX = 6
WINDOW_SECONDS = 60
CORRECTION_MAX_SECONDS = 600
BODY_MAX_BYTES = 65_536
SIGNATURE = re.compile(r"t=(0|[1-9]\d{0,11}),n=([\w-]{16,64})(?:,k=([\w.-]{1,64}))?,v1=([0-9a-f]{64})", re.ASCII)
GAMES = {"SLOTS_001", "CRASH_001"}


def mac(secret, *lines):
    return hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()


def sha256(body):
    return hashlib.sha256(body).hexdigest()


class OutcomeUnknown(Exception):
    """Nobody can tell whether the call was executed. The same transactionId finds out, or takes it back."""


class Wallet:
    """The casino's wallet. `keys` holds secrets by key id, the newest last."""

    def __init__(self, url, keys, clock=time.time):
        self.url, self.keys, self.clock = urlsplit(url), keys, clock

    def call(self, method, target, content=None):
        """Make one signed call; returns status, content, raw body and whether it is a replay. Raises OutcomeUnknown."""
        body = b"" if content is None else json.dumps(content).encode()
        correction_seconds, signed_anew = 0, False
        ends_at = time.monotonic() + CALL_SECONDS
        for number in range(TRIES_MAX):
            pause_seconds = 0.1 * 2**number
            try:
                status, headers, raw, is_signed = self._send(method, target, body, correction_seconds)
            except ConnectionRefusedError:
                status, headers = 503, {}  # nothing was sent
            except (OSError, http.client.HTTPException) as error:
                raise OutcomeUnknown(type(error).__name__) from error
            if status == 401:  # signed or not, it does not prove that nothing was done
                if signed_anew:
                    raise OutcomeUnknown("a second 401")
                signed_anew, correction_seconds = True, self._correction(raw) if is_signed else 0
                continue
            if status in (409, 429, 503):  # nothing was done, signed or not: the same bytes again
                asked_seconds = headers.get("retry-after") or ""
                pause_seconds = max(pause_seconds, int(asked_seconds) if asked_seconds.isdecimal() else 0)
                if time.monotonic() + pause_seconds > ends_at:
                    break
                time.sleep(pause_seconds * (1 + secrets.randbelow(500) / 1000))
                continue
            if not is_signed or status >= 500 or status == 415:
                raise OutcomeUnknown(f"status {status}, signed: {is_signed}")
            return status, json.loads(raw), raw, headers.get("idempotent-replay") == "true"
        raise OutcomeUnknown("no answer that decides")

    def _send(self, method, target, body, correction_seconds):
        key_id, secret = list(self.keys.items())[-1]
        t, n = str(int(self.clock()) + correction_seconds), secrets.token_hex(16)
        v1 = mac(secret, "v1", t, n, method, target, sha256(body))
        headers = {"x-casino-signature": f"t={t},n={n},k={key_id},v1={v1}"}
        if body:
            headers["content-type"] = "application/json"
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.url.netloc, timeout=CALL_SECONDS)  # REAL: keep connections, idle for 4 seconds at most
        try:
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        return response.status, response.headers, raw, self._is_signed(response, raw, n)

    def _is_signed(self, response, raw, nonce):
        found = SIGNATURE.fullmatch(response.headers.get("x-casino-signature") or "")
        if found is None or (found[3] or "main") not in self.keys:
            return False
        expected = mac(self.keys[found[3] or "main"], "v1-response", found[1], nonce, str(response.status), sha256(raw))
        return hmac.compare_digest(expected, found[4])

    def _correction(self, raw):
        """Seconds that the wallet's clock is ahead, by a signed `timestamp_out_of_window`; 0 for any other 401."""
        told = json.loads(raw)
        off_seconds = told.get("serverTime", 0) - int(self.clock())
        is_usable = told.get("code") == "timestamp_out_of_window" and abs(off_seconds) <= CORRECTION_MAX_SECONDS
        return off_seconds if is_usable else 0


def until_known(wallet, path, content):
    """Repeat a credit or a rollback with the same id until the wallet answers. REAL: from a table, for ever."""
    for number in range(TRIES_MAX):
        try:
            return wallet.call("POST", path, content)
        except OutcomeUnknown:
            time.sleep(0.2 * 2**number)
    raise OutcomeUnknown(f"{content['transactionId']} is still open: an outbox goes on here")


def place_bet(wallet, content):
    """Debit a stake. Returns the answer, or None when the outcome is unknown: the bet is then taken back."""
    try:  # REAL: write the call down before it is sent, and its outcome after
        return wallet.call("POST", "/casino/debit", content)
    except OutcomeUnknown:
        until_known(wallet, "/casino/rollback", rollback_of(content))
        return None


def rollback_of(bet):
    """The rollback of a bet. Its id follows from the bet's, so every worker and restart sends the same one."""
    own_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"rollback:{bet['userId']}:{bet['transactionId']}"))
    kept = {name: bet[name] for name in ("sessionToken", "userId", "roundId")}
    return {**kept, "transactionId": own_id, "originalTransactionId": bet["transactionId"]}


class Launches(BaseHTTPRequestHandler):
    """POST /provider/launch: a signed request in, a signed 200 with `providerSessionId` out, in under 8 seconds."""

    protocol_version = "HTTP/1.1"
    timeout = 10
    keys, sessions, nonces, lock, clock = {}, {}, {}, threading.Lock(), time.time

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if length > BODY_MAX_BYTES:
            self.close_connection = True
            return self._answer(413, {"code": "body_too_large", "error": "Larger than 64 KiB"})
        body = self.rfile.read(length)
        found = SIGNATURE.fullmatch(self.headers.get("x-provider-signature") or "")
        secret = self.keys.get(found[3] or "main") if found else None
        code = self._refusal(found, secret, body)
        # Only who has the secret gets this far with its nonce: answers are signed from here on.
        signs = (secret, found[2]) if code in (None, "timestamp_out_of_window", "nonce_replay") else None
        if code:
            extra = {"serverTime": int(type(self).clock())} if code == "timestamp_out_of_window" else {}
            return self._answer(401, {"code": code, "error": "The signature does not hold", **extra}, signs)
        if self.path != "/provider/launch":
            return self._answer(404, {"code": "not_found", "error": "There is nothing here"}, signs)
        return self._answer(*self._launch(json.loads(body)), signs)

    def _refusal(self, found, secret, body):
        """The code of the first check that fails, in the order of the contract; None when the signature holds."""
        if found is None:
            return "signature_malformed" if self.headers.get("x-provider-signature") else "signature_missing"
        t, n, _, v1 = found.groups()
        if secret is None:
            return "unknown_key"
        if not hmac.compare_digest(mac(secret, "v1", t, n, self.command, self.path, sha256(body)), v1):
            return "bad_signature"
        now = type(self).clock()
        if abs(int(now) - int(t)) > WINDOW_SECONDS:
            return "timestamp_out_of_window"
        with self.lock:  # REAL: one store for all processes, which survives a restart
            for old in [nonce for nonce, seen_at in self.nonces.items() if seen_at < now - 300]:
                del self.nonces[old]
            if n in self.nonces:
                return "nonce_replay"
            self.nonces[n] = now
        return None

    def _launch(self, asked):
        if asked["gameId"] not in GAMES:
            return 404, {"code": "game_not_found", "error": "There is no such game"}
        with self.lock:
            session = self.sessions.setdefault(asked["casinoSessionId"], {**asked, "id": str(uuid.uuid4())})
        if any(session[name] != value for name, value in asked.items()):
            return 422, {"code": "idempotency_mismatch", "error": "Launched with other content"}
        return 200, {"providerSessionId": session["id"]}  # a launch that comes twice is one session

    def _answer(self, status, content, signs=None):
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        if signs:
            t = str(int(type(self).clock()))
            v1 = mac(signs[0], "v1-response", t, signs[1], str(status), sha256(raw))
            self.send_header("x-provider-signature", f"t={t},n={signs[1]},k=main,v1={v1}")
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        """Log nothing: a body holds the session token."""


def serve(port, secret, host="127.0.0.1"):
    """Answer launches in the background. REAL: one server for many casinos, each with keys of its own."""
    Launches.keys = {"main": secret}
    server = ThreadingHTTPServer((host, port), Launches)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def launch_game(casino_url, user_id):
    """What a player's own client does; outside demo mode it sends `authorization: Bearer …`."""
    url, body = urlsplit(casino_url), json.dumps({"userId": user_id, "gameId": "1"})
    connection = http.client.HTTPConnection(url.netloc, timeout=20)
    connection.request("POST", "/casino/launchGame", body, {"content-type": "application/json"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def main(casino_url, port, user_id="1"):
    def show(step, status, content, replayed=False):
        print(json.dumps({"step": step, "status": status, "replayed": replayed, "content": content}))

    def secret(name):
        return os.environ.get(name) or sys.exit(f"Set {name}.")

    wallet, provider_secret = Wallet(casino_url, {"main": secret("CASINO_SECRET")}), secret("PROVIDER_SECRET")
    serve(int(port), provider_secret, os.environ.get("LISTEN_HOST", "127.0.0.1"))
    status, launched = launch_game(casino_url, user_id)
    show("launch", status, {name: value for name, value in launched.items() if name != "sessionToken"})
    if status != 201:
        sys.exit("The casino did not launch the game: see docs/integrate.md")
    (session,) = [each for each in Launches.sessions.values() if each["id"] == launched["providerSessionId"]]
    who = {"sessionToken": session["sessionToken"], "userId": session["userId"]}

    def bet(amount):
        return {**who, "transactionId": str(uuid.uuid4()), "roundId": str(uuid.uuid4()), "amount": amount}

    won, undone = bet(1000), bet(1000)
    show("balance", *wallet.call("POST", "/casino/getBalance", who)[:2])
    first = wallet.call("POST", "/casino/debit", won)
    show("bet", *first[:2])
    again = wallet.call("POST", "/casino/debit", won)
    show("bet again: its answer was lost", *again[:2], again[3] and again[2] == first[2])
    payout = {**won, "transactionId": str(uuid.uuid4()), "relatedTransactionId": won["transactionId"], "amount": 2000}
    show("payout", *until_known(wallet, "/casino/credit", {**payout, "endRound": True})[:2])
    placed = place_bet(wallet, undone)
    show("second bet", *(placed[:2] if placed else (None, "unknown: taken back")))
    show("rollback", *until_known(wallet, "/casino/rollback", rollback_of(undone))[:2])
    again = wallet.call("POST", "/casino/debit", undone)
    show("second bet again: its first answer, nothing moves", *again[:2], again[3])
    target = f"/casino/transactions/{quote(undone['transactionId'], safe='')}?userId={quote(user_id, safe='')}"
    show("look-up: its state", *wallet.call("GET", target)[:2])
    rows, cursor = [], "0"
    while page := (answer := wallet.call("GET", f"/casino/transactions?after={cursor}&limit=1000")[1])["transactions"]:
        rows, cursor = rows + [row for row in page if row["userId"] == user_id], answer["next"]
    own = {won["transactionId"], payout["transactionId"], undone["transactionId"]}
    show(
        "feed",
        200,
        [{name: row[name] for name in ("type", "state", "amount")} for row in rows if row["transactionId"] in own],
    )
    show("balance", *wallet.call("POST", "/casino/getBalance", who)[:2])


if __name__ == "__main__":
    main(*sys.argv[1:])
