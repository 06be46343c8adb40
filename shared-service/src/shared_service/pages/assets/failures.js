// Tells the player and the console of a failure. Nothing is swallowed.
export function failuresOf(prefix) {
  return (words, error) => {
    console.error(prefix, words, error);
    let place = document.querySelector("[data-failures]");
    if (!place) {
      place = document.createElement("div");
      place.className = "notice negative";
      place.dataset.failures = "";
      place.dataset.test = "message";
      place.setAttribute("role", "alert");
      document.querySelector("main").prepend(place);
    }
    place.textContent = words;
  };
}

export function clearFailures() {
  document.querySelector("[data-failures]")?.remove();
}
