// What does the page of a file do besides being read? Ranges of lines are marked and stand in the address, and a name
// that is clicked opens a panel beside the code. Without this, names lead to pages of their own.

const text = document.querySelector("#text");
const panel = document.querySelector("#panel");
const outline = document.querySelector(".outline");

// --- ranges of lines: #L12 and #L12-L20 ------------------------------------------------------------

const range = () => /^#L(\d+)(?:-L(\d+))?$/.exec(location.hash)?.slice(1).map((one) => (one ? Number(one) : null));

function marked(scroll) {
  const found = range();
  if (!found) return;
  const first = Math.min(found[0], found[1] ?? found[0]);
  const last = Math.max(found[0], found[1] ?? found[0]);
  const { begin, end, count } = text.dataset;
  if (first < Number(begin) || first > Number(end)) {
    if (first >= 1 && first <= Number(count)) {
      const address = new URL(location.href);
      address.searchParams.set("lines", String(first));
      location.replace(address); // the line is on another page of the file
    }
    return;
  }
  text.querySelectorAll(".lit").forEach((line) => line.classList.remove("lit"));
  for (let at = first; at <= Math.min(last, Number(end)); at += 1) {
    document.querySelector(`#L${at}`)?.classList.add("lit");
  }
  if (scroll) document.querySelector(`#L${first}`)?.scrollIntoView({ block: "center" });
}

function numbered(event, link) {
  const line = Number(link.textContent);
  const from = range()?.[0];
  const to = event.shiftKey && from && from !== line ? `#L${Math.min(from, line)}-L${Math.max(from, line)}` : `#L${line}`;
  event.preventDefault();
  history.replaceState(null, "", to);
  marked(false);
}

// --- the panel -------------------------------------------------------------------------------------

let opened = null;
let asked = null;

async function open(link) {
  asked?.abort();
  const mine = (asked = new AbortController());
  opened?.classList.remove("open");
  opened = link;
  link.classList.add("open");
  panel.hidden = false;
  panel.setAttribute("aria-busy", "true");
  const address = new URL(link.href);
  const ref = new URL(location.href).searchParams.get("ref");
  if (ref) address.searchParams.set("ref", ref);
  address.searchParams.set("part", "1");
  address.hash = "";
  try {
    const answer = await fetch(address, { signal: mine.signal, headers: { Accept: "text/html" } });
    if (answer.status === 401) return location.reload();
    const said = await answer.text();
    if (mine === asked) panel.dispatchEvent(new CustomEvent("filled", { bubbles: true, detail: said }));
  } catch (error) {
    if (error.name === "AbortError") return;
    const said = '<p class="wrong" role="alert">The service does not answer: is it running?</p>';
    panel.dispatchEvent(new CustomEvent("filled", { bubbles: true, detail: said }));
  }
  panel.removeAttribute("aria-busy");
  panel.scrollTop = 0;
  panel.focus({ preventScroll: true });
}

function close() {
  if (panel.hidden) return;
  panel.hidden = true;
  panel.replaceChildren();
  opened?.classList.remove("open");
  opened?.focus({ preventScroll: true });
  opened = null;
}

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.button !== 0) return;
  if (event.target.closest("[data-close]")) return close();
  const link = event.target.closest("#text .line a");
  if (!link) return;
  if (link.classList.contains("no")) return numbered(event, link);
  if (event.shiftKey) return;
  event.preventDefault();
  open(link);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) close();
});

addEventListener("hashchange", () => marked(true));
text.classList.add("scripted"); // lines are marked here, not by what the browser takes for the target
if (!text.querySelector(".lit") || range()?.[1]) marked(true);
if (outline && matchMedia("(max-width: 1000px)").matches) outline.open = false;
