// The pack: it says that it is being made, parts are left out or kept, and its prompt can be copied whole.

const form = document.querySelector("#pack");

form.addEventListener("submit", (event) => {
  if (event.submitter?.formAction.includes("/pack/")) return; // a file: the page stays
  form.setAttribute("aria-busy", "true");
  const button = form.querySelector("button.main");
  button.textContent = "Packing …";
});

addEventListener("pageshow", () => {
  form.removeAttribute("aria-busy");
  form.querySelector("button.main").textContent = "Pack";
});

// A part is left out, or kept, by a line in a field of the form, which then makes the pack anew.
document.querySelector(".pack")?.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-adds]");
  if (!button) return;
  const field = form.elements[button.dataset.adds];
  field.value = `${field.value.trimEnd()}\n${button.value}`.trimStart();
  form.requestSubmit();
});

// The bytes are asked for again: what is on the page shows signs that do not print as their codes.
document.querySelector("[data-takes]")?.addEventListener("click", async ({ currentTarget: button }) => {
  const said = button.textContent;
  button.textContent = "Copying …";
  const text = fetch(button.dataset.takes, { method: "POST", body: new URLSearchParams(new FormData(form)) }).then(
    async (answer) => {
      if (!answer.ok) throw new Error(answer.statusText);
      return answer.text();
    },
  );
  try {
    if (typeof ClipboardItem === "function") {
      const made = text.then((found) => new Blob([found], { type: "text/plain" }));
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": made })]);
    } else await navigator.clipboard.writeText(await text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Download it instead";
  }
  setTimeout(() => (button.textContent = said), 2000);
});
