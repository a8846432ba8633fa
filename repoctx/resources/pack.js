"use strict";
// Searches, filters, sorts and colours the page of a pack. Text stays text: colours are ranges (CSS custom highlights),
// no element is made, and nothing is read as HTML.
(() => {
  const MOST_MATCHES = 10000, MOST_COLOURED = 400000;
  const at = (id) => document.getElementById(id);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const can = typeof Highlight === "function" && CSS.highlights;
  const paints = new Map();
  for (const [priority, name] of ["part", "frame", "comment", "string", "keyword", "number", "found", "here"].entries()) {
    const paint = can ? new Highlight() : new Set();
    paint.priority = priority;
    paints.set(name, paint);
    if (can) CSS.highlights.set(name, paint);
  }

  const blocks = all("#prompt > details").map((box) => {
    const [gutter, code] = box.querySelectorAll("pre");
    return { box, gutter, code, pane: code.parentElement, text: code.textContent, ranges: [], found: [], matches: [] };
  });

  // --- colours ---

  const nodeOf = (block) => {
    block.code.normalize(); // the parser cuts long texts into several nodes
    return block.code.firstChild;
  };
  const rangeOf = (node, start, end) =>
    new StaticRange({ startContainer: node, startOffset: start, endContainer: node, endOffset: end });

  const WORDS = new Set(("abstract alias and as assert async await begin break case catch chan class const constexpr continue def " +
    "default defer del delete do elif else elsif end enum except export extends extern false final finally fn for from func " +
    "function global go goto if impl implements import in include instanceof interface internal is lambda let local loop match " +
    "mod module move mut namespace new nil none None nonlocal not null of operator or override package pass private protected " +
    "protocol pub public raise readonly record ref require rescue return sealed select self static struct super switch then " +
    "this throw throws trait true True False try type typedef typeof undef union unless unsafe until use using val var virtual " +
    "void volatile when where while with yield").split(" "));
  const KINDS = { hash: "py pyi rb sh bash zsh yaml yml toml ex exs jl pl pm ps1 psm1 r tf hcl mk cfg ini",
    slash: "js jsx mjs cjs ts tsx php", tick: "c h cc cpp hpp hh cxx m mm rs java kt kts go swift scala cs zig sol proto",
    dash: "lua sql hs elm" };
  const COMMENTS = { hash: "#[^\\n]*", slash: "//[^\\n]*|/\\*[^]*?(?:\\*/|$)", dash: "--[^\\n]*" };
  COMMENTS.tick = COMMENTS.slash;
  const lexers = new Map();
  for (const [kind, endings] of Object.entries(KINDS)) {
    const single = kind === "tick" || kind === "dash" ? "'(?:\\\\[^\\n']*|[^\\\\'\\n])'" : "'(?:\\\\.|[^'\\\\\\n])*'?";
    const string = "\"\"\"[^]*?(?:\"\"\"|$)|'''[^]*?(?:'''|$)|\"(?:\\\\.|[^\"\\\\\\n])*\"?|`(?:\\\\.|[^`\\\\])*`?|" + single;
    const source = `(${COMMENTS[kind]})|(${string})|(\\b\\d[\\w.]*)|([A-Za-z_$][\\w$]*)`;
    for (const ending of endings.split(" ")) lexers.set(ending, source);
  }

  const colour = (block) => {
    const name = block.box.querySelector("summary code").textContent;
    const source = lexers.get(name.slice(name.lastIndexOf(".") + 1).toLowerCase());
    const numbers = block.gutter.textContent.split("\n");
    if (!can || numbers.length < 2 || block.text.length > MOST_COLOURED) return;
    const node = nodeOf(block), lines = block.text.split("\n");
    const add = (kind, start, end) => {
      const range = rangeOf(node, start, end);
      block.ranges.push([kind, range]);
      paints.get(kind).add(range);
    };
    const lex = (start, end) => {
      const pattern = new RegExp(source, "g"), text = block.text.slice(start, end);
      for (let m; (m = pattern.exec(text)); ) {
        const kind = m[1] ? "comment" : m[2] ? "string" : m[3] ? "number" : WORDS.has(m[4]) ? "keyword" : "";
        if (kind) add(kind, start + m.index, start + m.index + m[0].length);
      }
    };
    let start = 0, from = 0;
    for (const [index, line] of lines.entries()) {
      if (!numbers[index]) { // the prompt's own line
        if (source && start > from) lex(from, start);
        if (line) add("frame", start, start + line.length);
        from = start + line.length + 1;
      }
      start += line.length + 1;
    }
    if (source && block.text.length > from) lex(from, block.text.length);
  };

  const clear = (kind, ranges) => {
    for (const range of ranges) paints.get(kind).delete(range);
    ranges.length = 0;
  };
  const paint = (block) => {
    if (!block.ranges.length) colour(block);
    if (can && !block.found.length && block.matches.length) {
      const node = nodeOf(block);
      block.found = block.matches.map(([start, end]) => rangeOf(node, start, end));
      for (const range of block.found) paints.get("found").add(range);
    }
  };
  const wipe = (block) => {
    for (const [kind, range] of block.ranges) paints.get(kind).delete(range);
    block.ranges = [];
    clear("found", block.found);
  };
  const open = (block) => {
    block.box.open = true;
    paint(block);
  };
  for (const block of blocks) {
    block.box.addEventListener("toggle", () => (block.box.open ? paint(block) : wipe(block)));
    if (block.box.open) paint(block);
  }
  at("open").addEventListener("click", () => { for (const block of blocks) block.box.open = true; });
  at("close").addEventListener("click", () => { for (const block of blocks) block.box.open = false; });

  // --- search ---

  const search = at("search"), told = at("found");
  let sought = "", matches = [], here = -1;

  const total = () => matches.length.toLocaleString("en") + (matches.length === MOST_MATCHES ? "+" : "");
  const find = () => {
    if (search.value === sought) return;
    sought = search.value;
    matches = [];
    here = -1;
    paints.get("here").clear();
    const pattern = new RegExp(sought.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gi");
    for (const block of blocks) {
      clear("found", block.found);
      block.matches = [];
      if (!sought) continue;
      pattern.lastIndex = 0;
      for (let m; matches.length < MOST_MATCHES && (m = pattern.exec(block.text)); ) {
        const match = [m.index, m.index + m[0].length];
        block.matches.push(match);
        matches.push([block, ...match]);
      }
      if (block.box.open) paint(block);
    }
    told.textContent = !sought ? "" : `${total()} found`;
  };

  const step = (by) => {
    find();
    if (!matches.length) return;
    here = here < 0 ? (by > 0 ? 0 : matches.length - 1) : (here + by + matches.length) % matches.length;
    const [block, start, end] = matches[here];
    open(block);
    const node = nodeOf(block), range = document.createRange();
    range.setStart(node, start);
    range.setEnd(node, end);
    paints.get("here").clear();
    if (can) paints.get("here").add(range);
    else getSelection().setBaseAndExtent(node, start, node, end);
    const pane = block.pane, box = pane.getBoundingClientRect(), mark = range.getBoundingClientRect();
    pane.scrollTop += mark.top - box.top - pane.clientHeight / 2;
    if (mark.left < box.left + 90 || mark.right > box.right - 20) pane.scrollLeft += mark.left - box.left - pane.clientWidth / 2;
    const seen = range.getBoundingClientRect().top;
    if (seen < 130 || seen > innerHeight - 60) scrollBy(0, seen - innerHeight / 2);
    const line = block.gutter.textContent.split("\n")[block.text.slice(0, start).split("\n").length - 1];
    told.textContent = `${(here + 1).toLocaleString("en")} of ${total()}${line ? `, line ${line}` : ""}`;
  };

  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(find, 150);
  });
  search.form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    step(event.shiftKey ? -1 : 1);
  });
  at("next").addEventListener("click", () => step(1));
  at("previous").addEventListener("click", () => step(-1));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.defaultPrevented || event.target.matches("input, textarea, select")) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  // --- parts ---

  const table = document.querySelector("#parts tbody"), filter = at("filter"), kept = at("kept");
  const rows = [...table.rows].map((row) => {
    const [number, first, last] = row.dataset.at.split(" ").map(Number);
    const tokens = Number(row.cells[4].textContent.replaceAll(",", ""));
    return { row, block: blocks[number], first, last, tokens, zone: row.className, words: "" };
  });
  const lines = (row) => row.block.text.split("\n").slice(row.first, row.last + 1).join("\n");
  const keep = () => {
    const wanted = filter.value.trim().toLowerCase();
    const zones = new Set(all("#parts fieldset input:checked").map((box) => box.value));
    let count = 0, tokens = 0;
    for (const row of rows) {
      if (wanted && !row.words) row.words = `${row.row.textContent}\n${lines(row)}`.toLowerCase();
      row.row.hidden = !zones.has(row.zone) || (wanted !== "" && !row.words.includes(wanted));
      if (row.row.hidden) continue;
      count += 1;
      tokens += row.tokens;
    }
    kept.textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} parts, ${tokens.toLocaleString("en")} tokens`;
  };
  let waiting = 0;
  filter.form.addEventListener("submit", (event) => event.preventDefault());
  filter.form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(keep, 120);
  });
  keep();

  const heads = all("#parts thead th");
  for (const [column, head] of heads.entries()) {
    head.firstChild.addEventListener("click", () => {
      const numeric = head.classList.contains("n"), now = head.getAttribute("aria-sort");
      const down = now ? now === "ascending" : numeric && column > 0; // numbers: the largest first
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.row.cells[column].textContent;
      const number = (row) => Number(value(row).replaceAll(",", ""));
      const order = numeric ? (a, b) => number(a) - number(b) : (a, b) => value(a).localeCompare(value(b), "en");
      const sorted = [...rows].sort((a, b) => (down ? -order(a, b) : order(a, b)));
      table.append(...sorted.map((row) => row.row));
    });
  }

  // --- from a part or a tile to its text ---

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#b"]');
    const block = link && blocks[Number(link.hash.slice(2))];
    if (!block) return;
    open(block);
    paints.get("part").clear();
    const part = rows.find((row) => row.row === link.closest("tr"));
    const first = part ? part.first : 0;
    const before = block.text.split("\n").slice(0, first).reduce((sum, line) => sum + line.length + 1, 0);
    if (can && part) paints.get("part").add(rangeOf(nodeOf(block), before, before + lines(part).length));
    block.pane.scrollTop = Math.max(0, (first - 1) * 20); // the style's line height
  });
})();
