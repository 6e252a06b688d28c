// The editor of task sequences without page loads: each press sends the form and
// takes the new one from the answer, so that the tree stays where it was scrolled to
// and the focus stays where it was. Nothing that was typed is lost when an answer
// does not come.
import { announce, dress } from "./forms.js";
import { tickAll } from "./time.js";

const longest = 30000; // ms to wait for an answer

export const form = () => document.querySelector("form[data-editor]");
export const treeButton = (node) => document.querySelector(`[data-node="${CSS.escape(node)}"] > button`);

function send(body) {
  return new Promise((done, failed) => {
    const r = new XMLHttpRequest(); // gives a document whose scripts are dead
    r.open("POST", form().action);
    r.responseType = "document";
    r.timeout = longest;
    r.onload = () => done(r);
    r.onerror = r.ontimeout = () => failed(new Error("The appliance did not answer. Nothing is lost: what you typed stands here. Press again when the connection is back."));
    r.send(body);
  });
}

// mark says how to find an element again in the form that comes back.
function mark(el) {
  const row = el?.closest?.("[data-node]");
  if (row) return `[data-node="${CSS.escape(row.dataset.node)}"] > button`;
  if (el?.id) return "#" + CSS.escape(el.id);
  if (el?.name) return `[name="${CSS.escape(el.name)}"][value="${CSS.escape(el.value)}"]`;
  return "";
}

// fields are what can be typed into, with a name that holds for the next form too.
function fields(root) {
  const out = new Map();
  const seen = {};
  for (const el of root.elements) {
    if (!el.name || el.type === "hidden" || el.tagName === "BUTTON") continue;
    seen[el.name] = (seen[el.name] || 0) + 1;
    out.set(el.name + " " + seen[el.name], el);
  }
  return out;
}

const valueOf = (el) => (el.type === "checkbox" ? el.checked : el.value);

function put(doc, sent, focus) {
  const old = form();
  const top = old.querySelector("[data-tree]").scrollTop;
  const kind = old.querySelector("#add").value;
  const same = old.elements.node.value === doc.getElementById("editor").elements.node.value;
  const typed = [...fields(old)].filter(([key, el]) => same && sent.has(key) && sent.get(key) !== valueOf(el));
  const fresh = document.adoptNode(doc.getElementById("editor"));
  old.replaceWith(fresh);
  const now = fields(fresh);
  for (const [key, el] of typed) { // while the answer was on its way
    if (!now.has(key)) continue;
    if (el.type === "checkbox") now.get(key).checked = el.checked;
    else now.get(key).value = el.value;
  }
  for (const name of ["#discard", "[data-notice]"]) document.querySelector(name)?.remove();
  fresh.after(document.adoptNode(doc.getElementById("discard")));
  const notice = doc.querySelector("[data-notice]");
  if (notice) document.querySelector("main > .warnings").after(document.adoptNode(notice));
  if (kind) fresh.querySelector("#add").value = kind;
  fresh.querySelector("[data-tree]").scrollTop = top;
  tickAll(fresh);
  dress(fresh);
  document.dispatchEvent(new CustomEvent("slipway:drawn", { detail: focus }));
  const el = focus && fresh.querySelector(focus);
  const to = el && !el.disabled ? el : fresh.querySelector('.steptree [aria-current="true"]');
  to?.focus({ preventScroll: !to.closest("[data-tree]") });
}

// complain shows what went wrong with sending, above what was typed.
function complain(text) {
  let box = document.getElementById("unsent");
  if (!box) {
    box = document.createElement("div");
    box.id = "unsent";
    box.className = "banner bad";
    box.setAttribute("role", "alert");
    form().querySelector(".head").after(box);
  }
  box.textContent = text;
}

let leaving = false;

async function go(extra, how) {
  const root = form();
  const body = new URLSearchParams(new FormData(root));
  for (const [name, value] of Object.entries(extra)) body.set(name, value);
  const sent = new Map([...fields(root)].map(([key, el]) => [key, valueOf(el)]));
  const focus = how.focus ?? mark(document.activeElement);
  root.setAttribute("aria-busy", "true");
  try {
    const r = await send(body);
    const at = new URL(r.responseURL || location.href);
    if (r.response?.getElementById("editor") && r.status < 500) {
      at.searchParams.delete("done");
      history.replaceState(null, "", at);
      put(r.response, sent, focus);
      how.then?.();
    } else if (r.status === 200 && !at.pathname.startsWith("/login")) {
      leaving = true;
      location.assign(at);
    } else if (r.status === 200) {
      complain("You are signed out. Sign in again in another window, then press once more: what you typed stands here.");
    } else {
      complain("Not taken: " + (r.response?.querySelector("h1")?.textContent || "the appliance answered " + r.status) + ". What you typed stands here.");
    }
  } catch (e) {
    complain(e.message);
  } finally {
    root.removeAttribute("aria-busy");
  }
}

// press sends the form with a button's name and value, or what a drag stands for.
// Presses wait for each other: each one needs the form that the one before left.
let last = Promise.resolve();
export function press(extra, how = {}) {
  last = last.then(() => go(extra, how));
  return last;
}

function pressed(button) {
  const { name, value, title } = button;
  if (name === "do" && (value === "add" || value === "add-group")) {
    return press({ [name]: value }, { focus: "#name", then: () => { toForm(); document.getElementById("name")?.select(); } });
  }
  if (name === "go") return press({ [name]: value }, { then: toForm });
  const before = { undo: "Taken back", redo: "Made again" }[value];
  return press({ [name]: value }, { then: () => announce(before ? `${before}${title.slice(title.indexOf(":"))}` : value === "apply" ? "Kept in your draft" : "") });
}

// toForm brings the form into view where it stands below the tree.
function toForm() {
  const tree = document.querySelector(".steptree"), box = document.getElementById("form");
  if (box.getBoundingClientRect().top >= tree.getBoundingClientRect().bottom) box.scrollIntoView({ block: "start" });
}

const inText = (el) => el.matches("textarea, select, input:not([type=checkbox])");

function keys(e) {
  if (!(e.ctrlKey || e.metaKey) || e.altKey || !form()?.contains(e.target) || inText(e.target)) return;
  const key = e.key.toLowerCase();
  const what = key === "y" || key === "z" && e.shiftKey ? "redo" : key === "z" ? "undo" : "";
  if (!what) return;
  e.preventDefault();
  const button = form().querySelector(`[name=do][value=${what}]`);
  if (button.disabled) announce(button.title);
  else pressed(button);
}

export function startEditor() {
  if (!form()) return;
  document.addEventListener("submit", (e) => {
    if (e.target !== form()) return;
    e.preventDefault();
    pressed(e.submitter || form().querySelector("[name=do][value=apply]"));
  }, true);
  document.addEventListener("keydown", keys);
  addEventListener("beforeunload", (e) => {
    const typed = [...fields(form()).values()].some((el) => el.id !== "add" && el.id !== "target" &&
      (el.type === "checkbox" ? el.checked !== el.defaultChecked : el.tagName === "SELECT" ? [...el.options].some((o) => o.selected !== o.defaultSelected && o.defaultSelected) : el.value !== el.defaultValue));
    if (typed && !leaving) e.preventDefault();
  });
}
