// A provider of your own in plain Node: it answers launches, calls the wallet, and believes signed answers only.
//
//     export CASINO_SECRET=casino-secret PROVIDER_SECRET=provider-secret
//     node your_own_provider.mjs http://127.0.0.1:8000 9100
//
// It listens on port 9100, launches a game as a player's client would, plays two rounds and prints each step.
// docs/integrate.md explains it. What a real provider needs besides is marked with REAL.

import { createHash, createHmac, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import http from "node:http";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const CALL_MS = 8_000;
const TRIES_MAX = 6;
const WINDOW_SECONDS = 60;
const CORRECTION_MAX_SECONDS = 600;
const BODY_MAX_BYTES = 65_536;
const SIGNATURE = /^t=(0|[1-9]\d{0,11}),n=([\w-]{16,64})(?:,k=([\w.-]{1,64}))?,v1=([0-9a-f]{64})$/;
const GAMES = new Set(["SLOTS_001", "CRASH_001"]);

const sha256 = (body) => createHash("sha256").update(body).digest("hex");
const mac = (secret, ...lines) => createHmac("sha256", secret).update(lines.join("\n")).digest("hex");
const equal = (one, other) => one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
const systemClock = () => Date.now() / 1000;

/** Nobody can tell whether the call was executed. The same transactionId finds out, or takes it back. */
export class OutcomeUnknown extends Error {}

/** Send one HTTP request; resolves with status, headers and raw body. Its deadline holds for all of it. */
function exchange(url, { method, headers, body }) {
  return new Promise((resolve, reject) => {
    const client = url.protocol === "https:" ? https : http;
    // REAL: keep connections, idle for 4 seconds at most
    const options = { method, headers, agent: false, signal: AbortSignal.timeout(CALL_MS) };
    const request = client.request(url, options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () =>
        resolve({ status: response.statusCode, headers: response.headers, raw: Buffer.concat(parts) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** The casino's wallet. `keys` maps key ids to secrets, the newest last. */
export class Wallet {
  constructor(url, keys, clock = systemClock) {
    Object.assign(this, { url, keys: new Map(Object.entries(keys)), clock });
  }

  /** Make one signed call; resolves with status, content, raw and replayed. Rejects with OutcomeUnknown. */
  async call(method, target, content) {
    const body = content === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(content));
    const endsAt = performance.now() + CALL_MS;
    let correctionSeconds = 0;
    let signedAnew = false;
    for (let number = 0; number < TRIES_MAX; number++) {
      let answer;
      try {
        answer = await this.#send(method, target, body, correctionSeconds);
      } catch (error) {
        if (error.code !== "ECONNREFUSED") throw new OutcomeUnknown(error.code ?? error.name);
        answer = { status: 503, headers: {} }; // nothing was sent
      }
      const { status, headers, raw, isSigned } = answer;
      if (status === 401) { // signed or not, it does not prove that nothing was done
        if (signedAnew) throw new OutcomeUnknown("a second 401");
        signedAnew = true;
        correctionSeconds = isSigned ? this.#correction(raw) : 0;
      } else if ([409, 429, 503].includes(status)) { // nothing was done, signed or not: the same bytes again
        const asked = /^\d{1,6}$/.test(headers["retry-after"]) ? Number(headers["retry-after"]) * 1000 : 0;
        const pause = Math.max(100 * 2 ** number, asked);
        if (performance.now() + pause > endsAt) break;
        await sleep(pause * (1 + Math.random() / 2));
      } else if (!isSigned || status >= 500 || status === 415) {
        throw new OutcomeUnknown(`status ${status}, signed: ${isSigned}`);
      } else {
        return { status, content: JSON.parse(raw), raw, replayed: headers["idempotent-replay"] === "true" };
      }
    }
    throw new OutcomeUnknown("no answer that decides");
  }

  async #send(method, target, body, correctionSeconds) {
    const [keyId, secret] = [...this.keys].at(-1);
    const t = String(Math.floor(this.clock()) + correctionSeconds);
    const n = randomBytes(16).toString("hex");
    const v1 = mac(secret, "v1", t, n, method, target, sha256(body));
    const headers = { "x-casino-signature": `t=${t},n=${n},k=${keyId},v1=${v1}` };
    if (body.length) Object.assign(headers, { "content-type": "application/json", "content-length": body.length });
    const answer = await exchange(new URL(this.url + target), { method, headers, body });
    return { ...answer, isSigned: this.#isSigned(answer, n) };
  }

  #isSigned({ status, headers, raw }, nonce) {
    const found = SIGNATURE.exec(headers["x-casino-signature"] ?? "");
    const secret = found && this.keys.get(found[3] ?? "main");
    return Boolean(secret) && equal(mac(secret, "v1-response", found[1], nonce, String(status), sha256(raw)), found[4]);
  }

  /** Seconds that the wallet's clock is ahead, by a signed `timestamp_out_of_window`; 0 for any other 401. */
  #correction(raw) {
    const { code, serverTime } = JSON.parse(raw);
    const off = serverTime - Math.floor(this.clock());
    return code === "timestamp_out_of_window" && Math.abs(off) <= CORRECTION_MAX_SECONDS ? off : 0;
  }
}

/** Repeat a credit or a rollback with the same id until the wallet answers. REAL: from a table, for ever. */
async function untilKnown(wallet, path, content) {
  for (let number = 0; number < TRIES_MAX; number++) {
    try {
      return await wallet.call("POST", path, content);
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) throw error;
      await sleep(200 * 2 ** number);
    }
  }
  throw new OutcomeUnknown(`${content.transactionId} is still open: an outbox goes on here`);
}

/** Debit a stake. Resolves with the answer, or with null when the outcome is unknown: the bet is then taken back. */
export async function placeBet(wallet, content) {
  try { // REAL: write the call down before it is sent, and its outcome after
    return await wallet.call("POST", "/casino/debit", content);
  } catch (error) {
    if (!(error instanceof OutcomeUnknown)) throw error;
    await untilKnown(wallet, "/casino/rollback", rollbackOf(content));
    return null;
  }
}

/** The rollback of a bet. Its id follows from the bet's, so every worker and restart sends the same one. */
function rollbackOf({ sessionToken, userId, roundId, transactionId }) {
  const ownId = sha256(JSON.stringify(["rollback", userId, transactionId])).slice(0, 32);
  return { sessionToken, userId, roundId, transactionId: ownId, originalTransactionId: transactionId };
}

/** POST /provider/launch: a signed request in, a signed 200 with `providerSessionId` out, in under 8 seconds. */
export class Launches {
  sessions = new Map();
  #nonces = new Map(); // REAL: one store for all processes, which survives a restart

  constructor(keys, clock = systemClock) {
    Object.assign(this, { keys: new Map(Object.entries(keys)), clock });
  }

  async answer(request, response) {
    const parts = [];
    let length = 0;
    for await (const part of request) {
      length += part.length;
      if (length > BODY_MAX_BYTES) return this.#send(response, 413, { code: "body_too_large", error: "Over 64 KiB" });
      parts.push(part);
    }
    const body = Buffer.concat(parts);
    const found = SIGNATURE.exec(request.headers["x-provider-signature"] ?? "");
    const secret = found ? this.keys.get(found[3] ?? "main") : undefined;
    const code = this.#refusal(request, found, secret, body);
    // Only who has the secret gets this far with its nonce: answers are signed from here on.
    const signs = [null, "timestamp_out_of_window", "nonce_replay"].includes(code) ? { secret, n: found[2] } : null;
    if (code) {
      const extra = code === "timestamp_out_of_window" ? { serverTime: Math.floor(this.clock()) } : {};
      return this.#send(response, 401, { code, error: "The signature does not hold", ...extra }, signs);
    }
    if (request.method !== "POST" || request.url !== "/provider/launch") {
      return this.#send(response, 404, { code: "not_found", error: "There is nothing here" }, signs);
    }
    return this.#send(response, ...this.#launch(JSON.parse(body)), signs);
  }

  /** The code of the first check that fails, in the order of the contract; null when the signature holds. */
  #refusal(request, found, secret, body) {
    if (!found) return request.headers["x-provider-signature"] ? "signature_malformed" : "signature_missing";
    const [, t, n, , v1] = found;
    if (!secret) return "unknown_key";
    if (!equal(mac(secret, "v1", t, n, request.method, request.url, sha256(body)), v1)) return "bad_signature";
    const now = this.clock();
    if (Math.abs(Math.floor(now) - Number(t)) > WINDOW_SECONDS) return "timestamp_out_of_window";
    for (const [nonce, seenAt] of this.#nonces) if (seenAt < now - 300) this.#nonces.delete(nonce);
    if (this.#nonces.has(n)) return "nonce_replay";
    this.#nonces.set(n, now);
    return null;
  }

  #launch(asked) {
    if (!GAMES.has(asked.gameId)) return [404, { code: "game_not_found", error: "There is no such game" }];
    const session = this.sessions.get(asked.casinoSessionId) ?? { ...asked, id: randomUUID() };
    this.sessions.set(asked.casinoSessionId, session);
    if (Object.keys(asked).some((name) => asked[name] !== session[name])) {
      return [422, { code: "idempotency_mismatch", error: "Launched with other content" }];
    }
    return [200, { providerSessionId: session.id }]; // a launch that comes twice is one session
  }

  #send(response, status, content, signs) {
    const raw = Buffer.from(JSON.stringify(content));
    const headers = { "content-type": "application/json", "content-length": raw.length };
    if (signs) {
      const t = String(Math.floor(this.clock()));
      const v1 = mac(signs.secret, "v1-response", t, signs.n, String(status), sha256(raw));
      headers["x-provider-signature"] = `t=${t},n=${signs.n},k=main,v1=${v1}`;
    }
    response.writeHead(status, headers).end(raw);
  }
}

/** Answer launches. REAL: one server for many casinos, each with keys of its own. */
export async function serve(port, secret, host = "127.0.0.1") {
  const launches = new Launches({ main: secret });
  const server = http.createServer((request, response) => {
    launches.answer(request, response).catch(() => response.destroy());
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  return { launches, server };
}

async function main(casinoUrl, port, userId = "1") {
  const show = (step, { status, content, replayed = false }) =>
    console.log(JSON.stringify({ step, status, replayed, content }));
  for (const name of ["CASINO_SECRET", "PROVIDER_SECRET"]) {
    if (process.env[name]) continue;
    console.error(`Set ${name}.`);
    process.exit(2);
  }
  const wallet = new Wallet(casinoUrl, { main: process.env.CASINO_SECRET });
  const { launches, server } = await serve(Number(port), process.env.PROVIDER_SECRET, process.env.LISTEN_HOST);
  // What a player's own client does; outside demo mode it sends `authorization: Bearer …`.
  const body = JSON.stringify({ userId, gameId: "1" });
  const asked = { method: "POST", headers: { "content-type": "application/json" }, body };
  const launched = await exchange(new URL("/casino/launchGame", casinoUrl), asked);
  const { sessionToken: _, ...content } = JSON.parse(launched.raw);
  show("launch", { status: launched.status, content });
  if (launched.status !== 201) throw new Error("The casino did not launch the game: see docs/integrate.md");
  const session = [...launches.sessions.values()].find((each) => each.id === content.providerSessionId);
  const who = { sessionToken: session.sessionToken, userId: session.userId };
  const bet = (amount) => ({ ...who, transactionId: randomUUID(), roundId: randomUUID(), amount });

  const [won, undone] = [bet(1000), bet(1000)];
  show("balance", await wallet.call("POST", "/casino/getBalance", who));
  const first = await wallet.call("POST", "/casino/debit", won);
  show("bet", first);
  const again = await wallet.call("POST", "/casino/debit", won);
  show("bet again: its answer was lost", { ...again, replayed: again.replayed && again.raw.equals(first.raw) });
  const payout = { ...won, transactionId: randomUUID(), relatedTransactionId: won.transactionId, amount: 2000 };
  show("payout", await untilKnown(wallet, "/casino/credit", { ...payout, endRound: true }));
  show("second bet", (await placeBet(wallet, undone)) ?? { status: null, content: "unknown: taken back" });
  show("rollback", await untilKnown(wallet, "/casino/rollback", rollbackOf(undone)));
  show("second bet again: its first answer, nothing moves", await wallet.call("POST", "/casino/debit", undone));
  const target = `/casino/transactions/${encodeURIComponent(undone.transactionId)}?userId=${encodeURIComponent(userId)}`;
  show("look-up: its state", await wallet.call("GET", target));
  const own = new Set([won.transactionId, payout.transactionId, undone.transactionId]);
  const rows = [];
  for (let cursor = "0"; ;) {
    const page = (await wallet.call("GET", `/casino/transactions?after=${cursor}&limit=1000`)).content;
    if (page.transactions.length === 0) break;
    rows.push(...page.transactions.filter((row) => row.userId === userId && own.has(row.transactionId)));
    cursor = page.next;
  }
  show("feed", { status: 200, content: rows.map(({ type, state, amount }) => ({ type, state, amount })) });
  show("balance", await wallet.call("POST", "/casino/getBalance", who));
  server.close();
  server.closeAllConnections();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(...process.argv.slice(2));
