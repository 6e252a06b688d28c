// Steps and groups are dragged in the tree with a mouse, a pen or a finger (at the
// grip, so that a finger beside it scrolls). Up and down choose the place, left and
// right the level; Escape leaves everything as it was.
import { form } from "./editor.js";
import { tree, nodes, depth, inside, isFolded, fold, parent, nameOf, moved } from "./tree.js";

const enough = 5; // pixels until a press is a drag
const indent = 18; // pixels of a level, as in console.css
const edge = 36; // pixels at which the list scrolls
const hover = 600; // ms over a folded group until it opens

let d = null; // what is dragged

function begin(e) {
  const li = e.target.closest?.("[data-tree] [data-node]");
  if (!li || d || e.button !== 0 || !e.isPrimary || e.target.closest(".turn")) return;
  if (e.pointerType === "touch" && !e.target.closest(".grip")) return;
  d = { li, id: e.pointerId, x0: e.clientX, y0: e.clientY, x: e.clientX, y: e.clientY, going: false, goal: null };
}

function start() {
  d.going = true;
  d.list = tree();
  d.list.setPointerCapture(d.id);
  d.block = [d.li, ...inside(d.li)];
  for (const x of d.block) x.classList.add("moving");
  d.line = Object.assign(document.createElement("li"), { className: "line" });
  d.line.setAttribute("role", "none");
  d.line.hidden = true;
  d.list.append(d.line);
  d.ghost = Object.assign(document.createElement("div"), { className: "ghost", textContent: nameOf(d.li) + (d.block.length > 1 ? ` and ${d.block.length - 1} inside` : "") });
  document.body.append(d.ghost);
  document.body.classList.add("dragging");
  requestAnimationFrame(frame);
}

// goalAt finds where the step would go: beside a row or into a group.
function goalAt() {
  const rows = nodes().filter((x) => !x.hidden && !d.block.includes(x));
  if (!rows.length) return null;
  let i = -1;
  let box = null;
  while (i + 1 < rows.length) {
    const next = rows[i + 1].getBoundingClientRect();
    if (next.top > d.y) break;
    box = next;
    i++;
  }
  const part = box ? (d.y - box.top) / box.height : 0;
  if (box && rows[i].hasAttribute("data-group") && part > 0.25 && part < 0.75) return { row: rows[i], side: "last", into: true };
  if (box && part <= 0.5) i--;
  const above = rows[i], below = rows[i + 1];
  if (!above) return { row: rows[0], side: "before", level: 0, y: rows[0].offsetTop };
  const open = above.hasAttribute("data-group") && !isFolded(above);
  const most = depth(above) + (open ? 1 : 0);
  const least = Math.min(below ? depth(below) : 0, most);
  const level = Math.min(most, Math.max(least, depth(d.li) + Math.round((d.x - d.x0) / indent)));
  const y = above.offsetTop + above.offsetHeight;
  if (level > depth(above)) return { row: above, side: "first", level, y };
  let row = above;
  while (depth(row) > level) row = parent(row);
  return { row, side: "after", level, y };
}

function scroll() {
  const own = d.list.scrollHeight > d.list.clientHeight + 1 && getComputedStyle(d.list).overflowY === "auto";
  const box = own ? d.list.getBoundingClientRect() : { top: 48, bottom: innerHeight };
  const by = d.y < box.top + edge ? -8 : d.y > box.bottom - edge ? 8 : 0;
  if (by) (own ? d.list : document.scrollingElement).scrollTop += by;
}

function frame() {
  if (!d?.going) return;
  scroll();
  const goal = goalAt();
  for (const x of nodes()) x.classList.toggle("over", Boolean(goal?.into) && x === goal.row);
  d.line.hidden = !goal || Boolean(goal.into);
  if (!d.line.hidden) {
    d.line.style.top = goal.y + "px";
    d.line.style.left = 28 + indent * Math.min(goal.level, 4) + "px";
  }
  d.ghost.style.translate = `${Math.max(4, Math.min(d.x + 14, innerWidth - d.ghost.offsetWidth - 8))}px ${d.y + 14}px`;
  if (goal?.row !== d.goal?.row || goal?.side !== d.goal?.side) d.since = performance.now();
  else if (goal?.into && isFolded(goal.row) && performance.now() - d.since > hover) fold(goal.row, false);
  d.goal = goal;
  requestAnimationFrame(frame);
}

function end() {
  if (!d) return;
  if (d.going) {
    for (const x of d.block) x.classList.remove("moving");
    for (const x of d.list.querySelectorAll(".over")) x.classList.remove("over");
    d.line.remove();
    d.ghost.remove();
    document.body.classList.remove("dragging");
  }
  d = null;
}

function drop() {
  const { going, li } = d;
  const goal = going && goalAt();
  if (going) addEventListener("click", (e) => e.stopPropagation(), { capture: true, once: true, signal: AbortSignal.timeout(100) });
  end();
  if (goal) moved(li, { do: "move", at: goal.row.dataset.node, side: goal.side });
}

export function startDrag() {
  if (!form()) return;
  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", (e) => {
    if (!d || e.pointerId !== d.id) return;
    d.x = e.clientX;
    d.y = e.clientY;
    if (!d.going && Math.hypot(d.x - d.x0, d.y - d.y0) > enough) start();
  });
  document.addEventListener("pointerup", (e) => { if (d && e.pointerId === d.id) drop(); });
  document.addEventListener("pointercancel", end);
  document.addEventListener("slipway:drawn", end);
  document.addEventListener("dragstart", (e) => { if (d) e.preventDefault(); });
  document.addEventListener("keydown", (e) => {
    if (e.key !== "Escape" || !d?.going) return;
    e.preventDefault();
    end();
  });
}
