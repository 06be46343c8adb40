// What every page does: instants in the reader's time zone, modal dialogs, and one sending of a form.
const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function showInstants(root = document) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const at = new Date(each.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    each.title = each.dateTime;
    each.textContent = LOCAL.format(at);
  }
}

export function openModal(dialog) {
  if (dialog.matches(":modal")) return;
  dialog.removeAttribute("open");
  dialog.showModal();
}

// Without scripts a dialog that is open stands in the page; with them it is modal. One that asks for an answer stays.
function openDialogs() {
  for (const dialog of document.querySelectorAll("dialog[data-modal]")) {
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    if (dialog.open) openModal(dialog);
  }
}

// Enter held down or a double tap sends a form once. Its idempotency key holds where this script does not run.
function sendOnce(event) {
  const form = event.target;
  if (event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
}

function sendAgain() {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  }
}

showInstants();
openDialogs();
document.addEventListener("submit", sendOnce);
addEventListener("pageshow", (event) => {
  if (event.persisted) sendAgain();
});
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
