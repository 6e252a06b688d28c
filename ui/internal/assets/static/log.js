// The log of a deployment: history is in the page, new lines are appended, and
// the view follows the end until somebody scrolls up.
import { clock, tick } from "./time.js";

function span(className, text) {
  const el = document.createElement("span");
  el.className = className;
  el.textContent = text;
  return el;
}

function row(line) {
  const li = document.createElement("li");
  li.id = "L" + line.n;
  li.className = ["error", "warn", "debug"].includes(line.level) ? line.level : "info";
  const n = document.createElement("a");
  n.className = "n";
  n.href = "#L" + line.n;
  n.textContent = line.n;
  const time = document.createElement("time");
  time.dateTime = line.t;
  time.dataset.clock = "";
  time.textContent = clock(new Date(line.t));
  tick(time);
  li.append(n, time);
  if (li.className === "error" || li.className === "warn") li.append(span("sr", li.className + ":"));
  li.append(span("x", line.text));
  return li;
}

export function startLog() {
  const box = document.querySelector("[data-log]");
  if (!box) return null;
  const list = box.querySelector("ol");
  const button = document.querySelector("[data-log-follow]");
  const count = document.querySelector("[data-log-count]");
  const shownToEnd = !box.querySelector("ol ~ p a"); // a page of old lines does not grow
  let last = Number(box.dataset.last) || 0;
  let following = shownToEnd && !location.hash;
  let unseen = 0;

  const atEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  const draw = () => {
    button.setAttribute("aria-pressed", String(following));
    button.textContent = following ? "Following" : unseen ? `Jump to end (${unseen} new)` : "Follow";
  };
  const toEnd = () => {
    box.scrollTop = box.scrollHeight;
    unseen = 0;
  };
  if (shownToEnd) {
    button.hidden = false;
    button.addEventListener("click", () => {
      following = !following || unseen > 0;
      if (following) toEnd();
      draw();
    });
    box.addEventListener("scroll", () => {
      const end = atEnd();
      if (end) unseen = 0;
      if (following !== end) following = end;
      draw();
    }, { passive: true });
  }
  if (following) toEnd();
  draw();

  return {
    last: () => last,
    add(lines, total) {
      if (!shownToEnd) {
        last = total;
        return;
      }
      const fresh = lines.filter((l) => l.n > last);
      if (!fresh.length) return;
      box.querySelector("[data-log-empty]")?.remove();
      // Blocks let the browser skip drawing what is out of sight.
      const block = document.createElement("div");
      block.className = "block";
      block.setAttribute("role", "presentation");
      block.append(...fresh.map(row));
      list.append(block);
      last = fresh[fresh.length - 1].n;
      if (count) count.textContent = `${total} line${total === 1 ? "" : "s"}`;
      if (following) toEnd();
      else unseen += fresh.length;
      draw();
    },
  };
}
