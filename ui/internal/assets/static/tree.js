// The tree of steps by keyboard: arrows walk, Left and Right fold, Alt with an arrow
// moves. Without scripts it is a list of buttons, and the form moves steps.
import { announce } from "./forms.js";
import { press, treeButton, form } from "./editor.js";

export const tree = () => document.querySelector("[data-tree]");
export const nodes = () => [...tree().querySelectorAll("[data-node]")];
export const depth = (li) => Number(li.dataset.depth);

const place = "slipway-tree " + location.pathname;
let folded = new Set();

const isGroup = (li) => li.hasAttribute("data-group");
export const isFolded = (li) => isGroup(li) && folded.has(li.dataset.node);

// inside are the rows of a group, however deep.
export function inside(li) {
  const out = [];
  for (let n = li.nextElementSibling; n?.dataset.node && depth(n) > depth(li); n = n.nextElementSibling) out.push(n);
  return out;
}

export function parent(li) {
  let p = li;
  while (p && depth(p) >= depth(li)) p = p.previousElementSibling;
  return p;
}

export const nameOf = (li) => li.querySelector(".what").firstChild.textContent.trim() || li.querySelector(".what").textContent.trim();

function whereabouts(li) {
  return `${li.dataset.place} of ${li.dataset.of} ${li.dataset.in ? "in " + li.dataset.in : "at the top level"}`;
}

export function fold(li, on) {
  if (on) folded.add(li.dataset.node);
  else folded.delete(li.dataset.node);
  sessionStorage.setItem(place, JSON.stringify([...folded]));
  show();
}

// show hides what is in folded groups and tells assistive technology about the rest.
function show() {
  let under = Infinity; // depth of the folded group that is being passed
  for (const li of nodes()) {
    const button = li.querySelector("button");
    if (depth(li) <= under) under = Infinity;
    li.hidden = depth(li) > under;
    if (isFolded(li) && under === Infinity) under = depth(li);
    button.setAttribute("role", "treeitem");
    button.setAttribute("aria-level", depth(li) + 1);
    button.setAttribute("aria-posinset", li.dataset.place);
    button.setAttribute("aria-setsize", li.dataset.of);
    button.setAttribute("aria-selected", button.getAttribute("aria-current"));
    if (!isGroup(li)) continue;
    button.setAttribute("aria-expanded", String(!isFolded(li)));
    li.classList.toggle("folded", isFolded(li));
    const held = isFolded(li) ? inside(li) : [];
    let pill = li.querySelector(".held-in");
    if (!held.length) {
      pill?.remove();
      continue;
    }
    if (!pill) button.append(pill = Object.assign(document.createElement("span"), { className: "pill held-in" }));
    const bad = held.some((x) => x.querySelector(".tone-failed"));
    pill.classList.toggle("tone-failed", bad);
    pill.textContent = `${held.length} inside${bad ? ", with problems" : ""}`;
  }
  const all = document.querySelector("[data-fold-all]");
  const groups = nodes().filter(isGroup);
  all.hidden = groups.length === 0;
  all.textContent = groups.some((g) => !isFolded(g)) ? "Fold all" : "Unfold all";
  reach();
}

// reach leaves one stop for the Tab key in the tree.
function reach(to) {
  const shown = nodes().filter((li) => !li.hidden);
  const at = to || shown.find((li) => li.contains(document.activeElement)) || shown.find((li) => li.querySelector('[aria-current="true"]')) || shown[0];
  for (const li of nodes()) li.querySelector("button").tabIndex = li === at ? 0 : -1;
}

function unfoldTo(li) {
  for (let p = parent(li); p; p = parent(p)) folded.delete(p.dataset.node);
}

function draw(e) {
  const list = tree();
  if (!list) return;
  list.classList.add("live");
  list.setAttribute("role", "tree");
  list.setAttribute("aria-labelledby", "steps-h");
  for (const li of nodes()) li.setAttribute("role", "none");
  const hint = document.querySelector("[data-moves]");
  if (hint) hint.hidden = false;
  const chosen = list.querySelector('[aria-current="true"]')?.closest("li");
  if (chosen) unfoldTo(chosen);
  const focus = e?.detail && list.parentElement.querySelector(e.detail)?.closest("[data-node]");
  if (focus) unfoldTo(focus);
  show();
}

// moved sends a change of the order and says where the step stands now.
export function moved(li, extra) {
  const id = li.dataset.node, name = nameOf(li), before = whereabouts(li) + depth(li);
  return press({ ...extra, moved: id }, {
    focus: `[data-node="${CSS.escape(id)}"] > button`,
    then: () => {
      const now = treeButton(id)?.closest("li");
      if (!now) return;
      now.scrollIntoView({ block: "nearest" });
      announce(whereabouts(now) + depth(now) === before ? `${name} stays where it is: ${whereabouts(now)}` : `${name} moved: ${whereabouts(now)}`);
    },
  });
}

function focusOn(li) {
  if (!li) return;
  reach(li);
  li.querySelector("button").focus();
}

const moves = { ArrowUp: "up", ArrowDown: "down", ArrowRight: "in", ArrowLeft: "out" };

function keys(e) {
  const li = e.target.closest?.("[data-tree] [data-node]");
  if (!li) return;
  const shown = nodes().filter((x) => !x.hidden);
  const at = shown.indexOf(li);
  const plain = !e.ctrlKey && !e.metaKey && !e.altKey && !e.shiftKey;
  if (e.altKey && !e.ctrlKey && !e.metaKey && moves[e.key]) moved(li, { do: moves[e.key] });
  else if ((e.ctrlKey || e.metaKey) && !e.altKey && e.key.toLowerCase() === "d") {
    press({ do: "duplicate", moved: li.dataset.node }, { then: () => announce(`${nameOf(li)} duplicated`) });
  } else if (!plain) return;
  else if (e.key === "ArrowDown") focusOn(shown[at + 1]);
  else if (e.key === "ArrowUp") focusOn(shown[at - 1]);
  else if (e.key === "Home") focusOn(shown[0]);
  else if (e.key === "End") focusOn(shown[shown.length - 1]);
  else if (e.key === "ArrowLeft") {
    if (isGroup(li) && !isFolded(li) && inside(li).length) fold(li, true);
    else focusOn(parent(li));
  } else if (e.key === "ArrowRight") {
    if (isFolded(li)) fold(li, false);
    else if (inside(li).length) focusOn(shown[at + 1]);
  } else if (e.key === "Delete") {
    const next = shown[at + 1 + (isFolded(li) ? 0 : inside(li).length)] || shown[at - 1];
    press({ do: "remove", moved: li.dataset.node }, { focus: next && `[data-node="${CSS.escape(next.dataset.node)}"] > button`, then: () => announce(`${nameOf(li)} removed. Control Z takes it back.`) });
  } else if (e.key === "F2") {
    press({ go: "node:" + li.dataset.node }, { focus: "#name", then: () => document.getElementById("name")?.select() });
  } else return;
  e.preventDefault();
}

export function startTree() {
  if (!form()) return;
  try {
    folded = new Set(JSON.parse(sessionStorage.getItem(place) || "[]"));
  } catch { /* nothing was kept */ }
  draw();
  document.addEventListener("slipway:drawn", draw);
  document.addEventListener("keydown", keys);
  document.addEventListener("focusin", (e) => { const li = e.target.closest?.("[data-tree] [data-node]"); if (li) reach(li); });
  document.addEventListener("click", (e) => {
    const turn = e.target.closest(".turn");
    if (turn && isGroup(turn.parentElement)) fold(turn.parentElement, !isFolded(turn.parentElement));
    if (!e.target.closest("[data-fold-all]")) return;
    const groups = nodes().filter(isGroup);
    const on = groups.some((g) => !isFolded(g));
    folded = new Set(on ? groups.map((g) => g.dataset.node) : []);
    sessionStorage.setItem(place, JSON.stringify([...folded]));
    show();
  });
}
