// What do the pages do besides being read? Parts are fetched anew, lists follow what happens, keys move.
// Every page works without this.

const policy = window.trustedTypes?.createPolicy("repoctx", { createHTML: (text) => text }) ?? {
  createHTML: (text) => text,
};
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Put a part that the service made (everything in it is escaped there) in the place of what an element holds. What has
// an id and is there again stays as its visitor left it: opened or closed, and in focus.
export function fill(element, text) {
  const made = document.createElement("template");
  made.innerHTML = policy.createHTML(text);
  const open = new Map(all("details[id]", element).map((one) => [one.id, one.open]));
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  for (const one of all("details[id]", made.content)) one.open = open.get(one.id) ?? one.open;
  element.replaceChildren(made.content);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  ready(element);
}

// Other scripts put parts in by this event, with the part as its detail.
document.addEventListener("filled", (event) => fill(event.target, event.detail));

// --- forms that answer while one types: data-part names the element that shows the answer ---------

// One question at a time: a service that is still busy with the last one is not asked the next before it has answered,
// and then what stands in the form by that time. A form that is sent asks in any case. One that hears "again" asks once
// more, saying that its visitor rests: what takes longer may be in that answer.
function answering(form) {
  const target = document.querySelector(form.dataset.part);
  const filled = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  let asking = false;
  let last = filled().toString();
  async function ask({ rests = false, anyhow = rests } = {}) {
    const wanted = filled();
    if (asking || (wanted.toString() === last && !anyhow)) return;
    asking = true;
    last = wanted.toString();
    history.replaceState(null, "", `${form.getAttribute("action")}?${wanted}`);
    wanted.set("part", "1");
    if (rests) wanted.set("rests", "1");
    target.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`${form.getAttribute("action")}?${wanted}`, { headers: { Accept: "text/html" } });
      if (answer.status === 401) return location.reload();
      const said = await answer.text();
      if (!rests || !target.contains(document.activeElement)) fill(target, said); // who reads is not disturbed
    } catch {
      fill(target, '<p class="wrong" role="alert">The service does not answer: is it running?</p>');
    }
    asking = false;
    if (filled().toString() !== last) return ask();
    target.removeAttribute("aria-busy");
    form.dispatchEvent(new CustomEvent("answered", { bubbles: true }));
  }
  form.addEventListener("input", () => ask());
  form.addEventListener("change", () => ask());
  form.addEventListener("again", () => ask({ rests: true }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask({ anyhow: true });
  });
}

// --- parts that follow what happens: data-live names a stream of them -----------------------------

// A page that nobody sees follows nothing: a browser has only a few connections to a service.
function following(element) {
  let stream = null;
  let over = false;
  const begin = () => {
    if (over || stream !== null || document.hidden || !element.isConnected) return;
    stream = new EventSource(element.dataset.live);
    stream.addEventListener("part", (event) => fill(element, event.data));
    stream.addEventListener("end", (event) => {
      over = true;
      stop();
      if (event.data === "reload") location.reload();
    });
  };
  const stop = () => {
    stream?.close();
    stream = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : begin()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", begin);
  begin();
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
