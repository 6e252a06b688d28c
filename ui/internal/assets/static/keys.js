// Single keys. They never fire in a field, with a modifier, or under a dialog.

const places = { o: "/", d: "/devices", r: "/deployments", s: "/sequences", c: "/content", b: "/boot/images", a: "/audit", y: "/admin/security", u: "/admin/accounts" };

function inField(el) {
  return el && (el.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(el.tagName));
}

function moveRow(step) {
  const rows = [...document.querySelectorAll("main tbody tr")];
  if (!rows.length) return;
  const at = rows.findIndex((r) => r.classList.contains("at"));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
  rows[at]?.classList.remove("at");
  next.classList.add("at");
  const link = next.querySelector("a");
  if (link) link.focus();
  next.scrollIntoView({ block: "nearest" });
}

export function startKeys() {
  let go = 0; // when "g" was pressed
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || inField(e.target)) return;
    if (document.querySelector("dialog[open], dialog:popover-open")) return;
    if (go && Date.now() - go < 1200 && places[e.key]) {
      e.preventDefault();
      location.href = places[e.key];
      return;
    }
    go = e.key === "g" ? Date.now() : 0;
    if (e.key === "/") {
      const field = document.querySelector("main [data-search]") || document.getElementById("find");
      if (field) {
        e.preventDefault();
        field.focus();
        field.select();
      }
    } else if (e.key === "?") {
      document.getElementById("keys")?.showModal();
    } else if (e.key === "j" || e.key === "k") {
      moveRow(e.key === "j" ? 1 : -1);
    } else if (e.key === "f") {
      document.querySelector("[data-log-follow]")?.click();
    } else if (e.key === "p") {
      document.dispatchEvent(new CustomEvent("slipway:pause"));
    }
  });
}
