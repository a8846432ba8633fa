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

// Where there are many repositories, all of them are searched when that is asked for, and not at every key.
function patient() {
  form.dataset.typing = form.dataset.all && form.elements.repository.value === form.dataset.all ? "off" : "on";
}

form.addEventListener("input", () => {
  clearTimeout(waiting);
  left = TIMES;
});
form.addEventListener("change", patient);
form.addEventListener("answered", told);
patient();
told();
