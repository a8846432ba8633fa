// What does the search page do besides answering while one types? It says what was found, and asks for colours.

const form = document.querySelector("#search");
const found = document.querySelector("#found");
const said = document.querySelector("#said");
// A moment of rest after which colours that took too long are asked for again, and how often, in milliseconds.
const REST = 350;
const TIMES = 8;

let waiting = 0;
let left = TIMES;

function told() {
  const line = found.querySelector("[data-said]");
  said.textContent = (line ?? found.querySelector("[role=alert]"))?.textContent ?? "";
  clearTimeout(waiting);
  if (line?.dataset.again === undefined || left === 0) return;
  waiting = setTimeout(() => {
    if (found.contains(document.activeElement)) return; // whoever reads is not to be disturbed
    left -= 1;
    form.dispatchEvent(new CustomEvent("again"));
  }, REST);
}

// Where there are many repositories and none is chosen, a few of them answer while one types, and all of them once the
// form is sent: a field that counts only while one types says which. This is heard before the form asks.
const typing = form.elements.typing;
function types(yes) {
  if (typing) typing.disabled = !yes || form.elements.repository.value !== "*";
}

form.addEventListener("input", (event) => {
  clearTimeout(waiting);
  left = TIMES;
  if (event.target.matches("input")) types(true);
}, { capture: true });
form.addEventListener("change", () => {
  const chosen = form.elements.repository.value !== "*";
  if (chosen) types(false);
  if (typing) document.querySelector("#typing").hidden = chosen;
}, { capture: true });
form.addEventListener("submit", () => types(false), { capture: true });
form.addEventListener("answered", told);
types(new URLSearchParams(location.search).has("typing"));
told();
