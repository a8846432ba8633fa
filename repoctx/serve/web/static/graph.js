// How does one move about in the picture of the graph? Dragging, zooming, lighting up, choosing, finding.
// Without this the picture scrolls, and every symbol is a link.

const SMALLEST = 0.1;
const LARGEST = 3;
const all = (selector, within) => [...within.querySelectorAll(selector)];
const between = (low, value, high) => Math.max(low, Math.min(high, value));

function made(name, text, className = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function graph(stage) {
  const view = stage.querySelector(".view");
  const svg = view.querySelector("svg");
  const world = svg.querySelector(".world");
  const side = stage.querySelector(".side");
  const nodes = all(".node", svg);
  const ties = all(".tie", svg).map((line) => ({ line, from: +line.dataset.from, to: +line.dataset.to }));
  const boxes = nodes.map((node) => node.querySelector("rect").getBBox());
  const size = { width: +svg.getAttribute("width"), height: +svg.getAttribute("height") };
  const at = { x: 0, y: 0, scale: 1 };
  let chosen = -1;

  // --- where one looks --------------------------------------------------------------------------

  const show = () => world.setAttribute("transform", `translate(${at.x} ${at.y}) scale(${at.scale})`);

  function zoom(factor, x = view.clientWidth / 2, y = view.clientHeight / 2) {
    const scale = between(SMALLEST, at.scale * factor, LARGEST);
    at.x = x - ((x - at.x) * scale) / at.scale;
    at.y = y - ((y - at.y) * scale) / at.scale;
    at.scale = scale;
    show();
  }

  function fit() {
    at.scale = between(SMALLEST, Math.min(view.clientWidth / size.width, view.clientHeight / size.height), 1);
    at.x = (view.clientWidth - size.width * at.scale) / 2;
    at.y = (view.clientHeight - size.height * at.scale) / 2;
    show();
  }

  function centre(number) {
    const box = boxes[number];
    at.x = view.clientWidth / 2 - (box.x + box.width / 2) * at.scale;
    at.y = view.clientHeight / 2 - (box.y + box.height / 2) * at.scale;
    show();
  }

  function reset() {
    at.scale = 1;
    centre(begin());
  }

  // The symbol and what is nearest beside it: smaller, if there is no room for both.
  function near() {
    reset();
    const from = boxes[begin()];
    const away = (box) => Math.hypot(box.x - from.x, box.y - from.y);
    const others = beside(begin()).flatMap((tie) => [boxes[tie.from], boxes[tie.to]]).filter((box) => box !== from);
    const to = others.sort((one, other) => away(one) - away(other))[0];
    if (!to) return;
    const [left, top] = [Math.min(from.x, to.x), Math.min(from.y, to.y)];
    const right = Math.max(from.x + from.width, to.x + to.width);
    const bottom = Math.max(from.y + from.height, to.y + to.height);
    if (left + at.x >= 0 && top + at.y >= 0 && right + at.x <= view.clientWidth && bottom + at.y <= view.clientHeight) return;
    at.scale = between(0.5, Math.min(view.clientWidth / (right - left + 24), view.clientHeight / (bottom - top + 24)), 1);
    at.x = view.clientWidth / 2 - ((left + right) / 2) * at.scale;
    at.y = view.clientHeight / 2 - ((top + bottom) / 2) * at.scale;
    reveal(begin());
  }

  // Bring a node into the window, and not further.
  function reveal(number) {
    const box = boxes[number];
    const [left, top] = [box.x * at.scale + at.x, box.y * at.scale + at.y];
    const [right, bottom] = [left + box.width * at.scale, top + box.height * at.scale];
    const edge = 24;
    at.x += left < edge ? edge - left : Math.min(0, view.clientWidth - edge - right);
    at.y += top < edge ? edge - top : Math.min(0, view.clientHeight - edge - bottom);
    show();
  }

  // The node that was expanded last, or the one that was asked about.
  function begin() {
    const last = new URLSearchParams(location.search).getAll("also").at(-1);
    const found = nodes.findIndex((node) => node.dataset.id === last);
    return found < 0 ? 0 : found;
  }

  // --- what is lit ------------------------------------------------------------------------------

  const beside = (number) => ties.filter((tie) => tie.from === number || tie.to === number);

  function light(number) {
    svg.classList.toggle("dimmed", number >= 0);
    const lit = new Set(number < 0 ? [] : [number]);
    for (const { line, from, to } of ties) {
      const mine = from === number || to === number;
      line.classList.toggle("lit", mine);
      if (mine) lit.add(from).add(to);
    }
    nodes.forEach((node, place) => node.classList.toggle("lit", lit.has(place)));
  }

  function choose(number) {
    nodes[chosen]?.classList.remove("chosen");
    chosen = number;
    nodes[chosen]?.classList.add("chosen");
    light(chosen);
    side.hidden = chosen < 0;
    side.replaceChildren(...(chosen < 0 ? [] : details(chosen)));
    if (chosen >= 0) reveal(chosen);
  }

  // What the lists below say of a node.
  function details(number) {
    const row = document.querySelector(`.nodes [data-row="${number}"]`);
    const list = document.createElement("dl");
    const doing = made("p", "", "doing");
    for (const cell of row.cells) {
      const kept = [...cell.childNodes].map((child) => child.cloneNode(true));
      if (cell.dataset.label === "") doing.append(...kept);
      else if (cell.dataset.label !== "symbol" && cell.textContent.trim()) {
        const said = document.createElement("dd");
        said.append(...kept);
        list.append(made("dt", cell.dataset.label), said);
      }
    }
    const close = made("button", "×", "plain close");
    close.type = "button";
    close.setAttribute("aria-label", "close");
    close.addEventListener("click", () => leave());
    return [close, made("h2", row.cells[0].textContent), doing, list, ...edges(number)];
  }

  function edges(number) {
    const rows = all(".edges tbody tr", document);
    const parts = [["from", "Uses", 2], ["to", "Used by", 0]].map(([end, title, other]) => {
      const mine = rows.filter((row) => +row.dataset[end] === number);
      if (mine.length === 0) return [];
      const list = document.createElement("ul");
      for (const row of mine) {
        const [from, kind, to, , sure, rule, place] = row.cells;
        const item = made("li", `${kind.textContent} ${(other ? to : from).textContent}, ${sure.textContent} by ${rule.textContent}, `);
        item.append(place.firstElementChild.cloneNode(true));
        list.append(item);
      }
      return [made("h3", `${title} here (${mine.length})`), list];
    });
    return parts.flat();
  }

  function leave() {
    const was = chosen;
    choose(-1);
    nodes[was]?.focus({ preventScroll: true });
  }

  // --- the mouse, fingers -----------------------------------------------------------------------

  const down = new Map();
  let moved = false;

  view.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    down.set(event.pointerId, event);
    if (down.size === 1) moved = false;
  });
  view.addEventListener("pointermove", (event) => {
    const last = down.get(event.pointerId);
    if (!last) return;
    const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
    if (!moved && Math.hypot(dx, dy) < 5) return;
    if (!moved) view.setPointerCapture(event.pointerId);
    moved = true;
    view.classList.add("moving");
    const others = [...down.values()].filter((one) => one.pointerId !== event.pointerId);
    if (others.length) {
      const [other] = others;
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const frame = view.getBoundingClientRect();
      zoom(apart(event) / Math.max(1, apart(last)), (event.clientX + other.clientX) / 2 - frame.left,
        (event.clientY + other.clientY) / 2 - frame.top);
    }
    at.x += dx / down.size;
    at.y += dy / down.size;
    show();
    down.set(event.pointerId, event);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    view.addEventListener(name, (event) => {
      down.delete(event.pointerId);
      if (down.size === 0) view.classList.remove("moving");
    });
  }
  view.addEventListener("dragstart", (event) => event.preventDefault());
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    const frame = view.getBoundingClientRect();
    const lines = event.deltaMode === 1 ? 16 : 1;
    zoom(Math.exp(-between(-200, event.deltaY * lines, 200) / 400), event.clientX - frame.left, event.clientY - frame.top);
  }, { passive: false });
  svg.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (moved && event.detail > 0) return;
    const node = event.target.closest(".node");
    choose(node ? +node.dataset.node : -1);
  });
  svg.addEventListener("pointerover", (event) => {
    const node = event.target.closest(".node");
    if (!moved || down.size === 0) light(node ? +node.dataset.node : chosen);
  });
  svg.addEventListener("pointerleave", () => light(chosen));
  svg.addEventListener("focusin", (event) => {
    const node = event.target.closest(".node");
    if (!node?.matches(":focus-visible")) return;
    view.scrollTo(0, 0);
    reveal(+node.dataset.node);
    light(+node.dataset.node);
  });
  svg.addEventListener("focusout", () => light(chosen));

  // --- keys -------------------------------------------------------------------------------------

  // The node that an arrow leads to: along an edge to the left or right, else the next one of its level.
  function next(number, key) {
    const from = boxes[number];
    const middle = from.y + from.height / 2;
    const across = key === "ArrowLeft" ? -1 : key === "ArrowRight" ? 1 : 0;
    const choices = across
      ? beside(number).map((tie) => (tie.from === number ? tie.to : tie.from))
          .filter((other) => Math.sign(boxes[other].x - from.x) === across)
      : nodes.map((_, other) => other).filter((other) => {
          const way = boxes[other].y - from.y;
          return nodes[other].dataset.level === nodes[number].dataset.level && boxes[other].x === from.x &&
            Math.sign(way) === (key === "ArrowDown" ? 1 : -1);
        });
    const far = (other) => Math.abs(boxes[other].y + boxes[other].height / 2 - middle) +
      (across ? Math.abs(boxes[other].x - from.x) : 0);
    return choices.sort((one, other) => far(one) - far(other) || one - other)[0];
  }

  const does = {
    in: () => zoom(1.25),
    out: () => zoom(0.8),
    fit,
    reset,
    full: (button) => full(button),
  };
  const keys = { "+": does.in, "=": does.in, "-": does.out, f: fit, 0: reset };

  view.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const node = event.target.closest?.(".node");
    if (event.key.startsWith("Arrow")) {
      if (node) {
        nodes[next(+node.dataset.node, event.key)]?.focus({ preventScroll: true, focusVisible: true });
      } else {
        at.x += { ArrowLeft: 60, ArrowRight: -60 }[event.key] ?? 0;
        at.y += { ArrowUp: 60, ArrowDown: -60 }[event.key] ?? 0;
        show();
      }
    } else if (event.key === "Escape" && chosen >= 0) leave();
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  side.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
  });

  // --- the bar ----------------------------------------------------------------------------------

  function full(button, wanted = !stage.classList.contains("full")) {
    stage.classList.toggle("full", wanted);
    button.setAttribute("aria-pressed", String(wanted));
    if (wanted) stage.requestFullscreen?.().catch(() => {});
    else if (document.fullscreenElement) document.exitFullscreen();
    requestAnimationFrame(() => centre(Math.max(0, chosen)));
  }

  const bar = stage.querySelector(".bar");
  const filter = bar.querySelector("input");
  bar.hidden = false;
  bar.addEventListener("click", (event) => {
    const button = event.target.closest("[data-does]");
    if (button) does[button.dataset.does](button);
  });
  stage.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement) full(bar.querySelector("[data-does=full]"), false);
  });
  stage.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && stage.classList.contains("full")) full(bar.querySelector("[data-does=full]"), false);
  });

  function find() {
    const wanted = filter.value.trim().toLowerCase();
    const found = nodes.filter((node) => {
      const matches = wanted !== "" && node.dataset.name.toLowerCase().includes(wanted);
      node.classList.toggle("match", matches);
      return matches;
    });
    bar.querySelector("output").textContent = wanted ? `${found.length} of ${nodes.length}` : "";
    return found;
  }
  filter.addEventListener("input", find);
  filter.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    find()[0]?.focus({ preventScroll: true, focusVisible: true });
  });

  // --- the beginning ----------------------------------------------------------------------------

  view.classList.add("live");
  if (Math.min(view.clientWidth / size.width, view.clientHeight / size.height) >= 0.9) fit();
  else near();
  if (begin() > 0) choose(begin());
}

function begin() {
  all("[data-graph]", document).forEach((stage) => {
    if (!stage.querySelector(".live")) graph(stage);
  });
}

document.addEventListener("answered", begin);
document.addEventListener("input", (event) => {
  if (event.target.name === "least") event.target.nextElementSibling.textContent = Number(event.target.value).toFixed(2);
});
begin();
