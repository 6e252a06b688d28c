// Times in words, by the server's clock: the browser's own may be wrong.

let offset = 0; // milliseconds the server is ahead of this browser

export function setServerNow(stamp) {
  const t = Date.parse(stamp);
  if (!Number.isNaN(t)) offset = t - Date.now();
}

export function now() {
  return Date.now() + offset;
}

const pad = (n, width = 2) => String(n).padStart(width, "0");

export function local(date, precise) {
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  return precise ? `${day} ${time}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}` : `${day} ${time}`;
}

export function clock(date) {
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
}

function zone(date) {
  const minutes = -date.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const m = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(m / 60)}${m % 60 ? ":" + pad(m % 60) : ""}`;
}

export function ago(date) {
  const s = (now() - date.getTime()) / 1000;
  if (s < -60) return local(date);
  if (s < 5) return "just now";
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return local(date);
}

export function took(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${pad(Math.floor(s) % 60)} s`;
  return `${Math.floor(s / 3600)} h ${pad(Math.floor(s / 60) % 60)} min`;
}

export function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

// tick draws one <time> or running duration.
export function tick(el) {
  if (el.dataset.began !== undefined) {
    const began = Date.parse(el.dataset.began);
    const ended = el.dataset.ended ? Date.parse(el.dataset.ended) : now();
    if (!Number.isNaN(began)) setText(el, took(ended - began));
    return;
  }
  const date = new Date(el.dateTime);
  if (Number.isNaN(date.getTime())) return;
  if (el.dataset.ago !== undefined) setText(el, ago(date));
  else if (el.dataset.exact !== undefined) setText(el, `${local(date, true)} ${zone(date)}`);
  else if (el.dataset.clock !== undefined) setText(el, clock(date));
  const title = `${local(date, true)} ${zone(date)}\n${date.toISOString()}`;
  if (el.title !== title) el.title = title;
}

export function tickAll(root = document) {
  for (const el of root.querySelectorAll("time[data-ago], time[data-exact], time[data-clock], [data-began]")) tick(el);
}

export function startTimes() {
  setServerNow(document.body.dataset.now);
  tickAll();
  setInterval(() => {
    if (document.hidden) return;
    for (const el of document.querySelectorAll('[data-began][data-ended=""]')) tick(el);
  }, 1000);
  setInterval(() => {
    if (document.hidden) return;
    for (const el of document.querySelectorAll("time[data-ago]")) tick(el);
  }, 10000);
}
