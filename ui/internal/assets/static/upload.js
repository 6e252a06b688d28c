// Uploads by tus 1.0: a file is sent in pieces, each where the appliance says the
// one before ended. What breaks off goes on by itself; after a reload the same file
// has to be chosen again, because a browser forgets what it was allowed to read.
import { announce } from "./forms.js";

const piece = 4 << 20; // bytes
const version = { "Tus-Resumable": "1.0.0" };
const longestWait = 10000; // ms between tries

class Stop extends Error {}

const remembered = (file) => "slipway-upload " + [file.name, file.size, file.lastModified].join(" ");
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const words = (n) => n < 1e6 ? Math.ceil(n / 1e3) + " kB" : n < 1e9 ? (n / 1e6).toFixed(1) + " MB" : (n / 1e9).toFixed(2) + " GB";

async function call(form, method, url, headers, body) {
  const res = await fetch(url, { method, body, redirect: "manual", headers: { ...version, "Slipway-Csrf": form.elements.csrf.value, ...headers } });
  if (res.type === "opaqueredirect" || res.status === 401) throw new Stop("You are signed out. Sign in again in another window, then press Add content once more.");
  if (res.status === 403) throw new Stop("Your role does not allow this, or the page is too old: load it again.");
  if (res.status === 413) throw new Stop("The file is larger than the appliance takes.");
  if (res.status === 507) throw new Stop("The appliance's disk is full. Free some space, then press Add content once more: it goes on where it stopped.");
  return res;
}

// begin finds where an upload stands, or makes a new one.
async function begin(form, file) {
  const base = form.dataset.upload;
  const known = localStorage.getItem(remembered(file));
  if (known) {
    const res = await call(form, "HEAD", base + "/" + known);
    if (res.ok) return { id: known, offset: Number(res.headers.get("Upload-Offset")) };
    if (res.status < 500) localStorage.removeItem(remembered(file));
    else throw new Error("no answer");
  }
  const res = await call(form, "POST", base, { "Upload-Length": String(file.size), "Upload-Metadata": "filename " + base64(file.name) });
  if (res.status !== 201) throw new Error("not begun: " + res.status);
  const id = res.headers.get("Location").split("/").pop();
  localStorage.setItem(remembered(file), id);
  return { id, offset: 0 };
}

// rate says how fast it goes and how long it will take, once that can be told.
function rate(offset, size, from) {
  const seconds = (performance.now() - from.at) / 1000;
  if (seconds < 2 || offset <= from.offset || offset >= size) return "";
  const perSecond = (offset - from.offset) / seconds;
  const left = (size - offset) / perSecond;
  return `, ${words(perSecond)}/s, about ${left < 90 ? Math.ceil(left) + " s" : Math.ceil(left / 60) + " min"} left`;
}

async function send(form, file, row) {
  let wait = 1000;
  let from = null; // where and when sending began, to tell the rate
  for (;;) {
    try {
      let { id, offset } = await begin(form, file);
      row.show(offset, "");
      from = { offset, at: performance.now() };
      while (offset < file.size) {
        const res = await call(form, "PATCH", form.dataset.upload + "/" + id, { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) }, file.slice(offset, offset + piece));
        if (res.status !== 204) throw new Error("not taken: " + res.status);
        offset = Number(res.headers.get("Upload-Offset"));
        wait = 1000;
        row.show(offset, rate(offset, file.size, from));
      }
      return id;
    } catch (e) {
      if (e instanceof Stop) throw e;
      // What was changed, moved or is a folder fails like a connection, but for ever.
      await file.slice(0, 1).arrayBuffer().catch(() => {
        throw new Stop("This cannot be read: it is a folder, or the file was changed or moved since. Choose the file again.");
      });
      row.say("Connection lost. It goes on by itself, next try in " + Math.round(wait / 1000) + " s.");
      await new Promise((done) => setTimeout(done, wait));
      wait = Math.min(wait * 2, longestWait);
    }
  }
}

function addRow(list, file) {
  const li = document.createElement("li");
  const name = document.createElement("span");
  const bar = document.createElement("progress");
  const note = document.createElement("span");
  name.textContent = file.name;
  name.className = "break";
  bar.max = Math.max(file.size, 1);
  bar.value = 0;
  bar.setAttribute("aria-label", "Upload of " + file.name);
  note.className = "small muted";
  note.textContent = words(file.size);
  li.append(name, bar, note);
  list.append(li);
  return {
    show(offset, more) { bar.value = file.size ? offset : 1; note.textContent = words(offset) + " of " + words(file.size) + more; li.classList.remove("lost"); },
    full() { return bar.value === bar.max; },
    say(text) { note.textContent = text; li.classList.add("lost"); announce(text); },
  };
}

export function startUpload() {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const list = form.querySelector("[data-uploads]");
  const drop = form.querySelector("[data-drop]");
  const button = form.querySelector("button.primary");
  let files = [];
  let busy = false;

  const choose = (chosen) => {
    if (busy) return;
    files = [...chosen];
    list.replaceChildren();
    for (const f of files) f.row = addRow(list, f);
    const name = form.elements.name;
    if (files.length && name && !name.value) name.value = files[0].name.replace(/(\.tar)?\.[a-z0-9]+$/i, "");
  };
  input.addEventListener("change", () => choose(input.files));
  // The whole window takes files: a browser that is let go of one beside the frame
  // would leave the page for it.
  for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, (e) => { e.preventDefault(); drop.classList.add("over"); });
  document.addEventListener("dragleave", (e) => { if (!e.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", (e) => { e.preventDefault(); drop.classList.remove("over"); choose(e.dataTransfer.files); });
  addEventListener("beforeunload", (e) => { if (busy) e.preventDefault(); });

  form.addEventListener("submit", async (e) => {
    if (!files.length) return;
    e.preventDefault();
    if (busy) return;
    busy = button.disabled = true;
    try {
      const done = [];
      for (const f of files) done.push((await send(form, f, f.row)) + " " + f.name);
      for (const f of files) localStorage.removeItem(remembered(f));
      for (const value of done) {
        const field = document.createElement("input");
        Object.assign(field, { type: "hidden", name: "upload", value });
        form.append(field);
      }
      busy = false;
      form.submit();
    } catch (err) {
      busy = button.disabled = false;
      for (const f of files) if (!f.row.full()) f.row.say(err.message);
    }
  });
}
