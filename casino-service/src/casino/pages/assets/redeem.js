// A slip's QR code leads here with the voucher's code behind `#`. It leaves the address at once.
const field = document.querySelector("#f-code");
const code = decodeURIComponent(location.hash.slice(1));
if (code && field) {
  history.replaceState(null, "", location.pathname);
  field.value = code;
  document.querySelector("#f-pin").focus();
}
