// One stream per page. It patches values in place and never moves what is under
// the user: parts that gain or lose rows are fetched anew when nobody is in them,
// or wait behind a button.
import { setServerNow, now, local, tick, tickAll, setText } from "./time.js";
import { announce, dress } from "./forms.js";

const SVG = "http://www.w3.org/2000/svg";
const icons = new Set(["waiting", "booting", "running", "input", "done", "failed", "cancelled", "offline"]);

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", name === "running" ? "i ring" : "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", "#i-" + (icons.has(name) ? name : "offline"));
  svg.append(use);
  return svg;
}

function make(tag, className, text) {
  const el = document.createElement(tag);
  if (className) el.className = className;
  if (text !== undefined) el.textContent = text;
  return el;
}

// content builds what a field shows; the server draws the same (value in parts.templ).
function content(f) {
  if (f.s) {
    const badge = make("span", "badge s-" + f.s);
    badge.append(icon(f.s), f.x || "");
    return badge;
  }
  if (f.t) {
    const t = make("time", "nowrap");
    t.dateTime = f.t;
    t.dataset.ago = "";
    tick(t);
    return t;
  }
  if (f.b) {
    const t = make("span", "nowrap");
    t.dataset.began = f.b;
    t.dataset.ended = f.e || "";
    tick(t);
    return t;
  }
  if (f.p !== undefined) {
    const meter = make("span", "meter");
    const bar = document.createElement("progress");
    bar.max = 100;
    bar.setAttribute("aria-label", "Progress");
    if (f.p >= 0) bar.value = f.p;
    meter.append(bar, make("span", "small", f.x || ""));
    return meter;
  }
  if (f.h) {
    const a = make("a", "", f.x || "");
    a.setAttribute("href", f.h);
    return a;
  }
  return document.createTextNode(f.x || "");
}

function patchField(el, f) {
  if (el.dataset.form === "icon") {
    el.className = "st tone-" + f.s;
    el.replaceChildren(icon(f.s), make("span", "sr", f.x + ":"));
    return;
  }
  // The cheap and the focused cases keep their elements.
  const link = f.h && el.querySelector("a");
  if (link) return setText(link, f.x || "");
  const bar = f.p >= 0 && el.querySelector("progress[value]");
  if (bar) {
    bar.value = f.p;
    return setText(el.querySelector(".small"), f.x || "");
  }
  const time = f.t && el.querySelector("time");
  if (time) {
    time.dateTime = f.t;
    return tick(time);
  }
  if (el.tagName === "PRE") {
    const end = el.scrollHeight - el.scrollTop - el.clientHeight < 24;
    setText(el, f.x || "");
    if (end) el.scrollTop = el.scrollHeight;
    return;
  }
  if (!f.s && !f.b && f.p === undefined && el.childElementCount === 0) return setText(el, f.x || "");
  el.replaceChildren(content(f));
}

function patch(p) {
  let found = false;
  for (const root of document.querySelectorAll(`[data-k="${CSS.escape(p.k)}"]`)) {
    found = true;
    for (const el of root.querySelectorAll("[data-f]")) {
      const f = p.f[el.dataset.f];
      if (f && el.closest("[data-k]") === root) patchField(el, f);
    }
    if (root.hasAttribute("data-step")) stepRow(root, p);
    if (p.final) for (const el of document.querySelectorAll("[data-until-final]")) el.remove();
  }
  if (p.k === "summary") {
    const tone = document.querySelector("[data-running]");
    const running = p.f.running && p.f.running.x !== "0" ? "running" : "offline";
    if (tone) {
      tone.className = "tone-" + running;
      tone.replaceChildren(icon(running));
    }
  }
  return found;
}

function stepRow(root, p) {
  root.classList.toggle("current", Boolean(p.now));
  if (p.f.status) root.classList.toggle("bad", p.f.status.s === "failed");
}

// --- parts of the page that the server draws -------------------------------

function fetchPage(then) {
  // XMLHttpRequest gives a parsed document whose scripts are dead; no text is
  // ever turned into mark-up here.
  const r = new XMLHttpRequest();
  r.open("GET", location.pathname + location.search);
  r.responseType = "document";
  r.onload = () => { if (r.status === 200 && r.response && r.response.querySelector("main")) then(r.response); };
  r.send();
}

function busy(region) {
  if (region.contains(document.activeElement) && document.activeElement !== document.body) return true;
  if (region.querySelector("dialog[open], dialog:popover-open")) return true;
  const selection = getSelection();
  if (selection && !selection.isCollapsed && region.contains(selection.anchorNode)) return true;
  return region.matches(":hover:not([data-eager])");
}

function replace(names) {
  fetchPage((doc) => {
    setServerNow(doc.body.dataset.now);
    for (const name of names) {
      const here = document.querySelector(`[data-region="${CSS.escape(name)}"]`);
      const there = doc.querySelector(`[data-region="${CSS.escape(name)}"]`);
      if (!here) continue;
      if (!there) {
        here.remove();
        continue;
      }
      const scroll = here.querySelector(".scroll")?.scrollLeft || 0;
      const fresh = document.adoptNode(there);
      here.replaceWith(fresh);
      const area = fresh.querySelector(".scroll");
      if (area) area.scrollLeft = scroll;
      tickAll(fresh);
      dress(fresh);
    }
  });
}

const waiting = new Set(); // regions whose content is out of date
let redraw = 0;

function stale(region) {
  waiting.add(region.dataset.region);
  if (!redraw) redraw = setTimeout(drawStale, 400);
}

function drawStale() {
  redraw = 0;
  const free = [];
  let later = false;
  for (const name of waiting) {
    const region = document.querySelector(`[data-region="${CSS.escape(name)}"]`);
    if (!region) waiting.delete(name);
    else if (busy(region)) {
      later = true;
      offer(region);
    } else {
      free.push(name);
      waiting.delete(name);
    }
  }
  if (free.length) replace(free);
  if (later) redraw = setTimeout(drawStale, 1500);
}

// offer shows the button that fetches a list's new rows now.
function offer(region) {
  const bar = region.querySelector("[data-fresh]");
  if (bar) bar.hidden = false;
}

// A job that is not heard of is asked for.
setInterval(() => {
  const job = document.querySelector("[data-job]");
  if (job && !document.hidden) stale(job.closest("[data-region]"));
}, 5000);

document.addEventListener("click", (e) => {
  const button = e.target.closest("[data-apply]");
  if (!button) return;
  const region = button.closest("[data-region]");
  waiting.delete(region.dataset.region);
  replace([region.dataset.region]);
});

// --- the stream -------------------------------------------------------------

// edited reports whether a form on the page holds something not sent yet.
function edited() {
  for (const el of document.querySelectorAll("main input, main select, main textarea")) {
    if (el.type === "hidden") continue;
    if (el.tagName === "SELECT") {
      for (const o of el.options) if (o.selected !== o.defaultSelected && [...el.options].some((x) => x.defaultSelected)) return true;
    } else if (el.type === "checkbox" || el.type === "radio") {
      if (el.checked !== el.defaultChecked) return true;
    } else if (el.value !== el.defaultValue) return true;
  }
  return false;
}

export function startLive(log) {
  const topics = document.body.dataset.topics;
  if (!topics) return;
  const bar = document.getElementById("notlive");
  let since = document.body.dataset.since;
  let source = null;
  let paused = false;
  let lost = 0; // when the stream was last heard, 0 while it is live
  let said = "";
  let saidAt = 0;
  let retry = 0;
  let outdated = false; // changes were missed, and a reload would lose what was typed

  const drawBar = () => {
    const text = bar.querySelector("[data-text]");
    document.body.classList.toggle("notlive", paused || outdated || lost > 0);
    bar.hidden = !paused && !outdated && !lost;
    if (outdated) text.textContent = "Not live: changes were missed. Reload the page when you have saved what you typed.";
    else if (paused) text.textContent = "Live updates are paused. Press p to resume.";
    else if (lost) text.textContent = `Not live since ${local(new Date(lost)).slice(11)}, reconnecting. What you see may have changed.`;
  };
  const live = () => {
    if (lost) {
      lost = 0;
      drawBar();
    }
  };
  const close = () => {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
  };

  const receive = (e) => {
    const b = JSON.parse(e.data);
    since = e.lastEventId || since;
    setServerNow(b.now);
    live();
    requestAnimationFrame(() => {
      const drawnAt = Date.parse(document.body.dataset.now);
      for (const p of b.p || []) {
        if (patch(p)) continue;
        const list = document.querySelector(`[data-list="${CSS.escape(p.k.split(":")[0])}"]`);
        if (list && p.n && (news(p) || list.dataset.list !== "deployment") && Date.parse(p.n) > drawnAt - 60000) stale(list);
      }
      for (const kind of b.c || []) {
        for (const region of document.querySelectorAll(`[data-on~="${CSS.escape(kind)}"]`)) {
          if (needsRedraw(region, b, kind)) stale(region);
        }
      }
      if (b.l && log) log.add(b.l, b.last);
      speak(b);
    });
  };

  // Totals are said at most every 10 seconds.
  const speak = (b) => {
    const summary = (b.p || []).find((p) => p.k === "summary");
    if (!summary) return;
    const text = `${summary.f.running?.x || 0} running`;
    if (text === said || now() - saidAt < 10000) return;
    said = text;
    saidAt = now();
    announce(text);
  };

  const open = () => {
    close();
    if (document.hidden || paused || outdated) return;
    const at = since + (log ? "." + log.last() : "");
    source = new EventSource(`/events?topics=${encodeURIComponent(topics)}&since=${encodeURIComponent(at)}`);
    source.onopen = live;
    source.addEventListener("patch", receive);
    source.addEventListener("reset", () => {
      close();
      if (!edited()) location.reload();
      else {
        outdated = true;
        drawBar();
      }
    });
    source.addEventListener("signedout", () => {
      close();
      location.href = "/login?next=" + encodeURIComponent(location.pathname + location.search);
    });
    source.onerror = () => {
      if (!lost) lost = now();
      drawBar();
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        retry = setTimeout(open, 3000 + Math.random() * 2000);
      }
    };
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  document.addEventListener("slipway:pause", () => {
    paused = !paused;
    if (paused) close();
    else open();
    drawBar();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (e) => { if (e.persisted) open(); });
  open();
}

// news: a status is sent when it is a new one. Steps and percents of a deployment that
// is not shown would fetch the page over and over.
const news = (p) => Boolean(p.n && p.f.status);

// needsRedraw: values are patched in place, so a region is fetched anew only when
// it shows something else than values: another set of rows, or whole sentences.
function needsRedraw(region, b, kind) {
  if (kind === "build") {
    return (b.p || []).some((p) => p.k.startsWith("build:") && p.f.status && p.f.status.s !== "running");
  }
  if (kind === "contentjob") { // rows come and go; bytes are patched
    return (b.p || []).some((p) => p.k.startsWith("job:") && (p.final || region.dataset.region === "jobs" && !document.querySelector(`[data-k="${CSS.escape(p.k)}"]`)));
  }
  if (kind !== "deployment") return true;
  const rows = [...region.querySelectorAll('[data-k^="deployment:"]')].map((r) => r.dataset.k);
  const name = region.dataset.region;
  return (b.p || []).some((p) => {
    if (!p.k.startsWith("deployment:")) return false;
    const here = rows.includes(p.k);
    if (name === "running") return here === Boolean(p.final);
    if (name === "recent" || name === "attention" || name === "tasks") return Boolean(p.final) || (name === "tasks" && !here && news(p));
    return !here && news(p);
  });
}
