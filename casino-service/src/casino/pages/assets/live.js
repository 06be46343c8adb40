// Keeps an open page of a player up to date: the balance, the bonus to acknowledge, the reality check, player safety.
import { put } from "./amounts.js";
import { clearFailures, failuresOf } from "./failures.js";
import { openModal, showInstants } from "./page.js";

const EVERY_MS = 4000;
const AGAIN_MS = 1500;
const AWAY_AFTER = 3;
const fail = failuresOf("[casino]");
const blocker = document.querySelector('[data-test="blocker"]');
const pause = document.querySelector('[data-test="pause"]');
let nudge = [];
let failed = 0;
let timer = null;
let asking = false;

function show(state) {
  for (const each of document.querySelectorAll("[data-version][data-minor]")) {
    put(each, state.balanceMinor, { version: state.version });
  }
  if (state.action !== null) showAction(state.action);
  showMessages([...state.messages, ...nudge]);
  showPlay(state.mayPlay);
  if (state.elapsed !== null) showCheck(state);
  const wanted = state.bonusAckRequired ? "bonus" : state.checkIsDue ? "check" : null;
  for (const dialog of document.querySelectorAll("dialog[data-when]")) {
    if (dialog.dataset.when === wanted) openModal(dialog);
    else if (dialog.open && wanted === null) dialog.close();
  }
}

function showMessages(messages) {
  const place = document.querySelector("[data-messages]");
  const keys = messages.map(({ code, until }) => `${code} ${until ?? ""}`);
  if (!place || keys.join() === Array.from(place.children, (each) => each.dataset.told).join()) return;
  place.replaceChildren(...messages.map((each, index) => noticeOf(each, keys[index])));
  showInstants(place);
}

function noticeOf({ message, until }, key) {
  const notice = document.createElement("div");
  notice.className = "notice warning";
  notice.dataset.told = key;
  const words = document.createElement("p");
  words.append(Object.assign(document.createElement("strong"), { textContent: message }));
  if (until) words.append(" Until ", Object.assign(document.createElement("time"), { dateTime: until }), ".");
  notice.append(words);
  return notice;
}

// An action is answered to one page, once: a nudge stays on it, a pause is to be seen before anything else.
function showAction(action) {
  if (action.actionType === "NUDGE") {
    nudge = [{ code: "NUDGE", message: action.message, until: null }];
    if (document.querySelector("[data-messages]")) return;
  }
  pause.querySelector("[data-words]").textContent = action.message;
  openModal(pause);
}

// A lobby that was loaded during a pause has no forms: it is loaded again after it.
function showPlay(mayPlay) {
  const games = document.querySelector("[data-play]");
  if (!games) return;
  if (games.dataset.play === "no" && mayPlay && !document.querySelector("dialog[open]")) location.reload();
  for (const form of games.querySelectorAll("form")) form.hidden = !mayPlay;
}

function showCheck(state) {
  for (const each of document.querySelectorAll("[data-elapsed]")) each.textContent = state.elapsed;
  for (const each of document.querySelectorAll("[data-signed]")) put(each, state.netMinor, { plus: true });
}

async function ask() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch("/state", { headers: { accept: "application/json" }, cache: "no-store", redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      location.assign("/login");
      return;
    }
    if (!answer.ok) {
      blocker.querySelector("[data-request]").textContent = answer.headers.get("x-request-id") ?? "";
      throw new Error(`status ${answer.status}`);
    }
    show(await answer.json());
    failed = 0;
    clearFailures();
    if (blocker.open) blocker.close();
  } catch (error) {
    failed += 1;
    fail("The balance may be out of date: the casino does not answer.", error);
    if (failed >= AWAY_AFTER && !blocker.open) blocker.showModal();
  } finally {
    asking = false;
    plan();
  }
}

function plan() {
  clearTimeout(timer);
  if (document.visibilityState === "visible") timer = setTimeout(ask, failed ? AGAIN_MS : EVERY_MS);
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") ask();
});
addEventListener("pageshow", (event) => {
  if (event.persisted) ask();
});
pause.querySelector("button").addEventListener("click", () => pause.close());
blocker.addEventListener("cancel", (event) => event.preventDefault());
plan();
