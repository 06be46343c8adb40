// Shows amounts: an integer of the smallest units as a decimal number. Exact for every integer: no Number touches it.
const MINUS = "\u2212";

export function shown(units, decimals, { plus = false } = {}) {
  const value = BigInt(units);
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  const part = digits.slice(digits.length - decimals);
  const sign = value < 0n ? MINUS : plus && value > 0n ? "+" : "";
  return sign + whole + (decimals ? `.${part}` : "");
}

// Puts a newer amount into an element made by the macro `amount`. An older version never replaces a newer one.
export function put(element, units, { version = null, plus = false } = {}) {
  if (version !== null) {
    const known = element.dataset.version;
    if (known !== undefined && known !== "" && BigInt(known) > BigInt(version)) return false;
    element.dataset.version = String(version);
  }
  element.dataset.minor = String(units);
  element.querySelector(".digits").textContent = shown(units, Number(element.dataset.decimals), { plus });
  return true;
}
