// Small helps for forms and buttons. Handlers sit on the document, so parts of a
// page that were fetched anew need nothing.

function byIds(text) {
  return (text || "").split(" ").map((id) => document.getElementById(id)).filter(Boolean);
}

export function dress(root = document) {
  for (const el of root.querySelectorAll("[data-copy], [data-reveal], [data-fill]")) el.hidden = false;
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    announce("Copied");
    const use = button.querySelector("use");
    use.setAttribute("href", "#i-done");
    setTimeout(() => use.setAttribute("href", "#i-copy"), 1500);
  } catch {
    announce("Copying is not allowed in this browser");
  }
}

function show(button, on) {
  for (const input of byIds(button.dataset.reveal)) input.type = on ? "text" : "password";
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? "Hide" : "Show";
}

export function announce(text) {
  const el = document.getElementById("announce");
  if (el) el.textContent = text;
}

export function startForms() {
  dress();
  document.addEventListener("click", (e) => {
    const button = e.target.closest("[data-copy], [data-reveal], [data-fill]");
    if (!button) return;
    if (button.dataset.copy !== undefined) copy(button);
    else if (button.dataset.reveal !== undefined) show(button, button.getAttribute("aria-pressed") !== "true");
    else {
      const value = document.getElementById(button.dataset.from).textContent.trim();
      const inputs = byIds(button.dataset.fill);
      for (const input of inputs) input.value = value;
      const reveal = document.querySelector("[data-reveal]");
      if (reveal) show(reveal, true);
      inputs[0]?.focus();
    }
  });
  // A list of rows always has an empty one at its end.
  document.addEventListener("input", (e) => {
    const row = e.target.closest("[data-rows] > [data-row]:last-child");
    if (!row || !e.target.value || e.target.type === "checkbox") return;
    const fresh = row.cloneNode(true);
    const n = row.parentElement.children.length;
    for (const el of fresh.querySelectorAll("*")) {
      for (const name of ["id", "for", "aria-describedby", "aria-label"]) if (el.hasAttribute(name)) el.setAttribute(name, el.getAttribute(name).replace(/\d+(?=(-err)?$)/, name === "aria-label" ? n + 1 : n));
      if (el.type === "checkbox") Object.assign(el, { value: n, checked: false });
      else if (el.tagName === "SELECT") el.selectedIndex = 0;
      else if ("value" in el && el.tagName !== "BUTTON") el.value = "";
      if (el.hasAttribute("aria-invalid")) el.setAttribute("aria-invalid", "false");
    }
    for (const el of fresh.querySelectorAll(".err")) el.remove();
    row.after(fresh);
  });
  // One press, one request: the button rests while its form is on the way.
  document.addEventListener("submit", (e) => {
    if (e.target.method !== "post" || e.defaultPrevented) return;
    const button = e.submitter;
    if (button) setTimeout(() => { button.disabled = true; }, 0);
  });
  // Back and forward may bring a page back as it was left.
  addEventListener("pageshow", (e) => {
    if (e.persisted) for (const b of document.querySelectorAll("form[method=post] button[disabled]")) b.disabled = false;
  });
  // What was just done is said once, not again on reload.
  const url = new URL(location.href);
  if (url.searchParams.has("done")) {
    url.searchParams.delete("done");
    history.replaceState(null, "", url);
  }
}
