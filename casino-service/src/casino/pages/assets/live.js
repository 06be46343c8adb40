// Keeps an open page of a player up to date: the balance, the bonus to acknowledge, the reality check.
import { put } from "./amounts.js";
import { clearFailures, failuresOf } from "./failures.js";
import { openModal } from "./page.js";

const EVERY_MS = 4000;
const AGAIN_MS = 1500;
const AWAY_AFTER = 3;
const fail = failuresOf("[casino]");
const blocker = document.querySelector('[data-test="blocker"]');
let failed = 0;
let timer = null;
let asking = false;

function show(state) {
  for (const each of document.querySelectorAll("[data-version][data-minor]")) {
    put(each, state.balanceMinor, { version: state.version });
  }
  showMessages(state.messages);
  if (state.elapsed !== null) showCheck(state);
  const wanted = state.bonusAckRequired ? "bonus" : state.checkIsDue ? "check" : null;
  for (const dialog of document.querySelectorAll("dialog[data-when]")) {
    if (dialog.dataset.when === wanted) openModal(dialog);
    else if (dialog.open && wanted === null) dialog.close();
  }
}

function showMessages(messages) {
  const place = document.querySelector("[data-messages]");
  if (!place || messages.join("\n") === place.innerText.trim().split(/\n+/).join("\n")) return;
  place.replaceChildren(
    ...messages.map((words) => {
      const notice = document.createElement("div");
      notice.className = "notice warning";
      notice.textContent = words;
      return notice;
    }),
  );
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
blocker.addEventListener("cancel", (event) => event.preventDefault());
plan();
