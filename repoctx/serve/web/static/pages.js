// What do the pages do besides being read? Parts are fetched anew, lists follow what happens, keys move.
// Every page works without this.

const policy = window.trustedTypes?.createPolicy("repoctx", { createHTML: (text) => text }) ?? {
  createHTML: (text) => text,
};
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Put a part that the service made (everything in it is escaped there) in the place of what an element holds.
export function fill(element, text) {
  const made = document.createElement("template");
  made.innerHTML = policy.createHTML(text);
  element.replaceChildren(made.content);
  ready(element);
}

// --- forms that answer while one types: data-part names the element that shows the answer ---------

function answering(form) {
  const target = document.querySelector(form.dataset.part);
  let waiting = 0;
  let asked = null;
  let last = new URLSearchParams(new FormData(form)).toString();
  async function ask() {
    const wanted = new URLSearchParams(new FormData(form));
    if (wanted.toString() === last) return;
    last = wanted.toString();
    asked?.abort();
    const mine = (asked = new AbortController());
    history.replaceState(null, "", `${form.getAttribute("action")}?${wanted}`);
    wanted.set("part", "1");
    target.setAttribute("aria-busy", "true");
    try {
      const address = `${form.getAttribute("action")}?${wanted}`;
      const answer = await fetch(address, { signal: mine.signal, headers: { Accept: "text/html" } });
      if (answer.status === 401) return location.reload();
      const text = await answer.text();
      if (mine === asked) fill(target, text);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (mine === asked) fill(target, '<p class="wrong" role="alert">The service does not answer: is it running?</p>');
    }
    if (mine === asked) {
      target.removeAttribute("aria-busy");
      form.dispatchEvent(new CustomEvent("answered", { bubbles: true }));
    }
  }
  const soon = (wait) => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, wait);
  };
  form.addEventListener("input", () => soon(60));
  form.addEventListener("change", () => soon(0));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    soon(0);
  });
}

// --- parts that follow what happens: data-live names a stream of them -----------------------------

function following(element) {
  const stream = new EventSource(element.dataset.live);
  stream.addEventListener("part", (event) => fill(element, event.data));
  stream.addEventListener("more", (event) => {
    const made = document.createElement("div");
    fill(made, event.data);
    element.append(...made.childNodes);
  });
  stream.addEventListener("end", (event) => {
    stream.close();
    if (event.data === "reload") location.reload();
  });
}

// --- keys ---------------------------------------------------------------------------------------

const writes = (target) => target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");

function move(step) {
  const items = all("[data-item]").filter((item) => item.offsetParent !== null);
  if (items.length === 0) return;
  const at = items.findIndex((item) => item.classList.contains("at"));
  const next = items[Math.max(0, Math.min(items.length - 1, at < 0 ? (step > 0 ? 0 : items.length - 1) : at + step))];
  items[at]?.classList.remove("at");
  next.classList.add("at");
  (next.matches("a") ? next : next.querySelector("a"))?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (writes(event.target)) {
    if (event.key === "Escape") event.target.blur();
    else if (event.key === "ArrowDown" && event.target.matches("[data-slash]")) move(1);
    else return;
    event.preventDefault();
    return;
  }
  const does = {
    "/": () => all("[data-slash]").at(-1)?.select(),
    "?": () => document.querySelector("#keys").showModal(),
    j: () => move(1),
    k: () => move(-1),
  }[event.key];
  if (does === undefined || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  does();
});

// --- small things -------------------------------------------------------------------------------

async function copy(button) {
  const from = document.querySelector(button.dataset.copy);
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(from.value ?? from.textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select it and copy";
  }
  setTimeout(() => (button.textContent = said), 1500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-opens]");
  if (button?.dataset.copy) copy(button);
  else if (button?.dataset.opens) document.querySelector(button.dataset.opens).showModal();
});

document.addEventListener("submit", (event) => {
  const asked = event.target.dataset.confirm;
  if (asked && !confirm(asked)) event.preventDefault();
});

function colours() {
  const button = document.querySelector("#theme");
  const root = document.documentElement;
  button.hidden = false;
  const show = () => {
    button.title = `colours: ${root.dataset.theme ?? "as the system"}`;
  };
  button.addEventListener("click", () => {
    const next = { undefined: "light", light: "dark" }[root.dataset.theme];
    if (next) {
      root.dataset.theme = next;
      localStorage.setItem("theme", next);
    } else {
      delete root.dataset.theme;
      localStorage.removeItem("theme");
    }
    show();
  });
  show();
}

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

// What a part needs once it is on the page.
function ready(within) {
  all("time[datetime]", within).forEach((time) => {
    time.textContent = local.format(new Date(time.dateTime));
    time.title = time.dateTime;
  });
  all("[data-live]", within).forEach(following);
  all("form[data-part]", within).forEach(answering);
}

colours();
ready(document);
