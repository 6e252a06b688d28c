package ui

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
	"slipway/ui/browsertest"
)

// pages are all pages an administrator can reach, with what must be on them.
var pages = []struct{ name, path, heading string }{
	{"overview", "/", "Overview"},
	{"devices", "/devices", "Devices"},
	{"devices-none", "/devices?q=nothing-like-this", "Devices"},
	{"device", "/devices/d0001", "PC-0040"},
	{"deployments", "/deployments", "Deployments"},
	{"deployment", "/deployments/run1", "PC-0040"},
	{"deployment-failed", "/deployments/bad1", "PC-0042"},
	{"sequences", "/sequences", "Task sequences"},
	{"sequence", "/sequences/hello", "Hello from Slipway"},
	{"sequence-new", "/sequences/new", "New task sequence"},
	{"content", "/content", "Content"},
	{"content-none", "/content?q=nothing-like-this", "Content"},
	{"content-item", "/content/c0001", "Debian 12"},
	{"content-add", "/content/add", "Add content"},
	{"catalogues", "/content/catalogues", "Catalogues"},
	{"catalogues-none", "/content/catalogues?q=nothing-like-this", "Catalogues"},
	{"catalogue-add", "/content/catalogues/add", "Add a catalogue"},
	{"images", "/boot/images", "Boot images"},
	{"image", "/boot/images/9f3ac81e77b04d52a6c09e1f5d2b7a40", "Linux image 9f3ac81e77b0"},
	{"image-winpe", "/boot/images/c0ffee5e77b04d52a6c09e1f5d2b7a41", "Windows PE image c0ffee5e77b0"},
	{"winpe-build", "/boot/images/winpe", "Build a Windows PE image"},
	{"content-windows", "/content/win11", "Windows 11 25H2"},
	{"security", "/admin/security", "Security"},
	{"security-anonymous", "/admin/security?open=anonymous", "Security"},
	{"security-certificate", "/admin/security?open=certificate", "Security"},
	{"security-entra", "/admin/security?open=entra", "Security"},
	{"security-passcode", "/admin/security?open=passcode", "Security"},
	{"security-console", "/admin/security?open=console", "Security"},
	{"security-local", "/admin/security?open=local", "Security"},
	{"passcode-add", "/admin/security/passcodes/add", "Add a passcode"},
	{"passcode-rotate", "/admin/security/passcodes/add?name=contractor", "Change the passcode contractor"},
	{"graph", "/admin/graph", "Microsoft Graph"},
	{"accounts", "/admin/accounts", "Accounts"},
	{"account", "/admin/accounts/anna", "anna"},
	{"signed-in", "/devices/signed-in", "Signed-in devices"},
	{"signed-in-none", "/devices/signed-in?q=nothing-like-this", "Signed-in devices"},
	{"audit", "/audit", "Audit"},
	{"audit-filtered", "/audit?outcome=refused&from=2020-01-01", "Audit"},
	{"audit-wrong", "/audit?from=yesterday", "Audit"},
	{"me", "/me", "anna"},
	{"device-long", "/devices/d0005", longName},
	{"deployment-long", "/deployments/long1", longName},
	{"sequence-long", "/sequences/long", longName + " for every room of the house"},
	{"content-long", "/content/c0002", longName},
	{"missing", "/no-such-page", "Not found"},
}

// longName is as long as host names are, and breaks nowhere by itself.
const longName = "workstation-of-the-reading-room-on-the-second-floor-of-building7"

// lengthen gives one of each kind the longest texts that it can have.
func (f *fake) lengthen() {
	now := f.now()
	path := "/srv/" + strings.Repeat("deployment-share", 8) + "/install.sh"
	d := f.devices["d0005"]
	d.Name, d.Manufacturer, d.Model, d.Sequence = longName, "A Manufacturer of Electronic Computing Machinery Ltd.", "Precision-"+longName, "long"
	d.Serial, d.Address = strings.Repeat("5CG", 20), "2001:db8:1111:2222:3333:4444:5555:6666"
	f.devices["d0005"] = d
	f.addDeployment("long1", "d0005", fleet.DeploymentFailed, now.Add(-3*time.Hour), 3)
	run := f.deployments["long1"]
	run.DeviceName, run.SequenceName, run.Actor = longName, longName, "anna.of.the.second.floor@"+longName+".example.org"
	run.Message = "the command ended with exit code 1: " + path + ": not found"
	f.deployments["long1"] = run
	s := f.sequences[0]
	s.ID, s.Name, s.Description, s.UpdatedAt = "long", longName+" for every room of the house", "Runs "+path, now
	f.sequences = append(f.sequences, s)
	f.content[1].Name, f.content[1].Description = longName, "From "+path
	f.content[1].Tags = []string{longName, "second"}
}

// TestEveryPage opens every page wide and narrow, light and dark, and fails on
// one policy violation, one script error, a missing heading, an unnamed control
// or content wider than the window.
func TestEveryPage(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	s.lengthen()
	for _, look := range []struct {
		width, height int64
		scheme        string
	}{{1440, 900, "light"}, {1440, 900, "dark"}, {390, 844, "light"}, {390, 844, "dark"}} {
		tb := openTab(t, browser, s, look.width, look.height, look.scheme)
		tb.signIn()
		for _, p := range pages {
			tb.open(p.path)
			tb.until(p.name+"'s heading", `document.querySelector("h1")?.textContent.trim() === `+quote(p.heading))
			tb.until("the stream or no topics", `document.readyState === "complete"`)
			tb.shot(shotName(p.name, look.width, look.scheme))
			tb.noComplaints(p.name)
			for _, problem := range eval[[]string](tb, accessibility) {
				t.Errorf("%s at %d: %s", p.name, look.width, problem)
			}
		}
	}
}

// accessibility lists what is plainly wrong with a page: names, headings, ids,
// contrast of text against its background, targets, sideways scrolling.
const accessibility = `(() => {
  const out = [];
  const shown = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && e.getClientRects().length > 0 && getComputedStyle(e).clipPath === "none";
  if (document.querySelectorAll("h1").length !== 1) out.push("it has " + document.querySelectorAll("h1").length + " h1");
  if (!document.title || !document.documentElement.lang) out.push("no title or language");
  const ids = new Map();
  for (const e of document.querySelectorAll("[id]")) ids.set(e.id, (ids.get(e.id) || 0) + 1);
  for (const [id, n] of ids) if (n > 1) out.push("id " + id + " stands " + n + " times");
  const name = (e) => (e.getAttribute("aria-label") || (e.labels && [...e.labels].map((l) => l.textContent).join(" ")) || e.textContent || e.title || "").trim();
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select")) {
    if (!shown(e)) continue;
    if (!name(e)) out.push("no name: " + e.outerHTML.slice(0, 120));
    const r = e.getBoundingClientRect();
    const inline = getComputedStyle(e).display === "inline" || e.closest("label.check, td, .log, .banner, .card > header, dd");
    if (!inline && (r.width < 24 || r.height < 24)) out.push("target " + Math.round(r.width) + "x" + Math.round(r.height) + ": " + e.outerHTML.slice(0, 120));
  }
  for (const e of document.querySelectorAll("[aria-describedby]"))
    for (const id of e.getAttribute("aria-describedby").split(" "))
      if (id.endsWith("-help") && !document.getElementById(id)) out.push("describedby " + id + " is missing");
  let level = 0;
  for (const h of document.querySelectorAll("main h1, main h2, main h3")) {
    const l = Number(h.tagName[1]);
    if (l > level + 1 && !(level === 1 && l === 3 && h.closest(".empty"))) out.push("heading jumps to " + h.tagName + ": " + h.textContent.trim());
    level = l;
  }
  const doc = document.documentElement;
  if (doc.scrollWidth > doc.clientWidth + 1) out.push("wider than the window: " + doc.scrollWidth + " > " + doc.clientWidth);
  // On a phone and on a desk nothing has to be moved sideways to be read; between, wide tables may.
  for (const e of document.querySelectorAll("main *, header *"))
    if ((innerWidth < 720 || innerWidth >= 1280) && shown(e) && e.scrollWidth > e.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(e).overflowX) && !e.matches("textarea, select, input"))
      out.push("it scrolls sideways, " + e.scrollWidth + " > " + e.clientWidth + ": " + e.outerHTML.slice(0, 120));
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color, under) => {
    canvas.fillStyle = under || "#fff"; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const d = canvas.getImageData(0, 0, 1, 1).data;
    return "rgb(" + d[0] + "," + d[1] + "," + d[2] + ")";
  };
  const background = (e) => {
    const stack = [];
    for (let x = e; x; x = x.parentElement) stack.push(getComputedStyle(x).backgroundColor);
    let c = "#fff";
    for (const b of stack.reverse()) c = rgb(b, c);
    return c;
  };
  const lum = (c) => {
    const v = c.match(/\d+/g).map((n) => { n /= 255; return n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
  };
  const seen = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !shown(e) || e.closest("[disabled]")) continue;
    const bg = background(e), fg = rgb(getComputedStyle(e).color, bg), key = fg + bg;
    if (seen.has(key)) continue;
    seen.add(key);
    const a = lum(fg), b = lum(bg), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) out.push("contrast " + ratio.toFixed(2) + " of " + JSON.stringify(walk.currentNode.data.trim().slice(0, 40)));
  }
  return out;
})()`

// TestTheWatchSeesViolations: the tests above would be worth nothing if a
// violation went unseen.
func TestTheWatchSeesViolations(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.open("/login")
	eval[bool](tb, `(() => { const i = new Image(); i.src = "https://192.0.2.1/x.png"; document.body.append(i);
		const p = document.createElement("p"); p.setAttribute("style", "color: red"); document.body.append(p);
		try { document.body.insertAdjacentHTML("beforeend", "<b>x</b>"); return false; } catch { return true; } })()`)
	tb.until("the violations", `window.__complaints.filter((c) => c.startsWith("policy")).length >= 3`)
}

// TestFirstMinutes goes the way of a new administrator: the one-time code, the
// warning, the passcode, the boot image, and out again.
func TestFirstMinutes(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, false)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.open("/")
	tb.until("set-up", `location.pathname === "/setup"`)
	tb.shot("setup-1280-light")
	tb.fill("#code", "wrong-code")
	tb.fill("#name", "anna")
	tb.fill("#password", "correct horse")
	tb.press("form button")
	tb.until("the refusal", `document.querySelector("#code-err")?.textContent.includes("not the code")`)
	tb.shot("setup-refused-1280-light")
	tb.fill("#code", s.code)
	tb.fill("#password", "correct horse")
	tb.press("form button")
	tb.until("the overview", `document.querySelector("h1")?.textContent === "Overview"`)
	tb.until("the warning", `document.querySelector(".banner.warn strong")?.textContent.includes("No sign-in mechanism")`)
	tb.shot("first-overview-1280-light")
	tb.noComplaints("first overview")

	tb.open("/admin/security")
	tb.fill("#passcode", "short12")
	tb.fill("#repeat", "short12")
	tb.press(`form[action^="/admin/security/passcode"] .primary`)
	tb.until("the strength", `document.querySelector("#passcode-err")?.textContent.includes("24 bits")`)
	tb.shot("passcode-weak-1280-light")
	tb.press("[data-fill]")
	tb.until("the suggestion in both fields", `document.querySelector("#passcode").value === "plinth walrus ochre 47" && document.querySelector("#passcode").value === document.querySelector("#repeat").value`)
	tb.press(`form[action^="/admin/security/passcode"] .primary`)
	tb.until("the word that it is set", `document.querySelector(".banner.good")?.textContent.includes("The passcode is set")`)
	tb.until("no warning", `!document.querySelector(".banner.warn:not([hidden])")`)
	if s.passcode != "plinth walrus ochre 47" {
		t.Errorf("the appliance got %q", s.passcode)
	}
	tb.press(`[popovertarget=clear]`)
	tb.until("the safe button to have the focus", `document.activeElement?.textContent === "Keep the passcode"`)
	tb.shot("clear-1280-light")
	tb.press(`#clear [popovertargetaction=hide]`)

	tb.open("/boot/images")
	tb.press("main .primary")
	tb.until("the build", `document.querySelector('[data-k^="build:"] [data-f=status]')?.textContent.includes("Running")`)
	id := s.builds[0].ID
	s.change(Change{Kind: ChangeBuild, ID: id}, func() {
		s.builds[0].Percent, s.builds[0].Stage, s.builds[0].Log = 40, "Packing modules", []string{"kernel 6.1.0", "187 modules"}
	})
	tb.until("its progress, live", `document.querySelector("progress")?.value === 40 && document.querySelector("pre").textContent.includes("187 modules")`)
	tb.shot("build-1280-light")
	s.change(Change{Kind: ChangeBuild, ID: id}, func() {
		s.builds[0].State, s.builds[0].Percent, s.builds[0].EndedAt = "done", 100, time.Now()
		s.images = []fleet.BootImage{{ID: "9f3ac81e77b04d52a6c09e1f5d2b7a40", Kind: "linux", Architecture: "x64", Size: 41_300_000, Served: true, BuiltAt: time.Now()}}
		s.tell(Change{Kind: ChangeImage, ID: s.images[0].ID})
	})
	tb.until("the image, live", `document.querySelector("[data-region=images]")?.textContent.includes("9f3ac81e77b0")`)
	tb.noComplaints("boot images")

	tb.open("/me")
	tb.press(`main form[action="/logout"] button`)
	tb.until("sign-in", `location.pathname === "/login"`)
	tb.shot("login-1280-light")
	tb.noComplaints("login")
	tb.open("/devices")
	tb.until("sign-in again", `location.pathname === "/login"`)
}

// TestLiveDeployment watches a deployment: a step ends, lines come, it ends, and
// nothing was reloaded.
func TestLiveDeployment(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.signIn()
	tb.open("/deployments/run2")
	eval[bool](tb, `window.__same = true`)
	tb.until("step 1 running", `document.querySelector('[data-k="step:run2:greet"] [data-f=status]').textContent.includes("Running")`)
	s.change(Change{Kind: ChangeDeployment, ID: "run2"}, func() {
		d := s.deployments["run2"]
		d.StepNumber, d.CurrentStep, d.CurrentName, d.UpdatedAt = 2, "machine/model", "Show the model", time.Now()
		s.deployments["run2"] = d
		s.results["run2"][0].Status, s.results["run2"][0].EndedAt = "succeeded", time.Now()
		s.results["run2"] = append(s.results["run2"], fleet.StepResult{DeploymentID: "run2", Path: "machine/model", Name: "Show the model", Number: 2, Status: "running", StartedAt: time.Now()})
	})
	tb.until("step 1 done", `document.querySelector('[data-k="step:run2:greet"] [data-f=status]').textContent.includes("Done")`)
	tb.until("step 2 current", `document.querySelector('[data-k="step:run2:machine/model"]').classList.contains("current")`)
	tb.until("the header", `document.querySelector("[data-f=step]").textContent.includes("Step 2 of 6: Show the model")`)
	hostile := `<img src=x onerror=alert(1)>`
	s.change(Change{Kind: ChangeLog, ID: "run2"}, func() {
		s.lines["run2"] = append(s.lines["run2"], fleet.LogLine{Number: 41, Time: time.Now(), Level: "error", Text: hostile})
	})
	tb.until("the new line", `document.querySelector("#L41 .x")?.textContent.includes(`+quote(hostile)+`)`)
	tb.until("the end of the log in view", `(() => { const b = document.querySelector(".log"); return b.scrollHeight - b.scrollTop - b.clientHeight < 30 })()`)
	s.change(Change{Kind: ChangeDeployment, ID: "run2"}, func() {
		d := s.deployments["run2"]
		d.Status, d.EndedAt, d.UpdatedAt = fleet.DeploymentFailed, time.Now(), time.Now()
		d.Message = "Step 2, Show the model: exit code 1"
		s.deployments["run2"] = d
		s.results["run2"][1].Status, s.results["run2"][1].ExitCode, s.results["run2"][1].EndedAt = "failed", 1, time.Now()
	})
	tb.until("the end", `document.querySelector(".head [data-f=status]").textContent.includes("Failed")`)
	tb.until("no cancel button", `!document.querySelector("[popovertarget=cancel]")`)
	if !eval[bool](tb, `window.__same === true`) {
		t.Error("the page was loaded anew")
	}
	tb.shot("deployment-ended-1280-light")
	tb.noComplaints("deployment")
}

// TestListsDoNotJump: a row that comes while the pointer is on the table waits
// behind a button; values change in place.
func TestListsDoNotJump(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.signIn()
	tb.open("/devices")
	tb.do(clickAt(600, 300))
	tb.until("the pointer on the table", `document.querySelector("[data-region=devices]").matches(":hover")`)
	rows := eval[int](tb, `document.querySelectorAll("tbody tr").length`)
	s.change(Change{Kind: ChangeDevice, ID: "new1"}, func() {
		s.devices["new1"] = fleet.Device{ID: "new1", Name: "0-FIRST", MACs: []string{"52:54:00:00:00:01"}, FirstSeen: time.Now(), LastSeen: time.Now()}
	})
	s.change(Change{Kind: ChangeDevice, ID: "d0002"}, func() {
		d := s.devices["d0002"]
		d.Address = "198.51.100.7"
		s.devices["d0002"] = d
	})
	tb.until("the address in place", `document.querySelector('[data-k="device:d0002"] [data-f=address]').textContent === "198.51.100.7"`)
	tb.until("the offer", `!document.querySelector("[data-fresh]").hidden`)
	if n := eval[int](tb, `document.querySelectorAll("tbody tr").length`); n != rows {
		t.Fatalf("%d rows became %d under the pointer", rows, n)
	}
	tb.press("[data-apply]")
	tb.until("the new row", `document.querySelector("tbody tr a").textContent === "0-FIRST"`)
	tb.noComplaints("devices")
}

// TestProgressElsewhereFetchesNothing: a device's page shows only its own deployments,
// so that steps of another one's must not fetch it over and over.
func TestProgressElsewhereFetchesNothing(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.signIn()
	tb.open("/devices/d0003")
	if eval[bool](tb, `Boolean(document.querySelector('[data-k="deployment:run1"]'))`) {
		t.Fatal("the deployment is this device's own")
	}
	eval[bool](tb, `(() => { window.__fetched = 0; const send = XMLHttpRequest.prototype.send; XMLHttpRequest.prototype.send = function () { window.__fetched++; send.call(this); }; return true })()`)
	for i := range 4 {
		s.change(Change{Kind: ChangeDeployment, ID: "run1"}, func() {
			d := s.deployments["run1"]
			d.CurrentName, d.StepNumber = "Part "+strconv.Itoa(i), i+1
			s.deployments["run1"] = d
		})
		time.Sleep(700 * time.Millisecond) // longer than the page gathers changes
	}
	if n := eval[int](tb, `window.__fetched`); n > 1 {
		t.Errorf("the page was fetched %d times", n)
	}
}

// TestStreamIsResumed: a stream that was cut says so, and catches up with what
// changed meanwhile.
func TestStreamIsResumed(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.signIn()
	tb.open("/deployments")
	eval[bool](tb, `window.__same = true`)
	eval[bool](tb, `(document.dispatchEvent(new CustomEvent("slipway:pause")), true)`)
	tb.until("the word that it is paused", `document.querySelector("#notlive")?.textContent.includes("paused")`)
	s.change(Change{Kind: ChangeDeployment, ID: "run1"}, func() {
		d := s.deployments["run1"]
		d.CurrentName, d.StepNumber = "Show the disks", 4
		s.deployments["run1"] = d
	})
	eval[bool](tb, `(document.dispatchEvent(new CustomEvent("slipway:pause")), true)`)
	tb.until("what was missed", `document.querySelector('[data-k="deployment:run1"] [data-f=step]').textContent.includes("Step 4 of 6: Show the disks")`)
	if !eval[bool](tb, `window.__same === true`) {
		t.Error("the page was loaded anew instead of resumed")
	}
}

// TestKeyboard: search, places, rows and the help sheet by key alone.
func TestKeyboard(t *testing.T) {
	browser := browsertest.Start(t)
	s := startSite(t, true)
	tb := openTab(t, browser, s, 1280, 800, "light")
	tb.signIn()
	tb.taps("?")
	tb.until("the help sheet", `document.querySelector("#keys").open`)
	tb.shot("keys-1280-light")
	tb.do(escape())
	tb.until("it to close", `!document.querySelector("#keys").open`)
	tb.pair("gd")
	tb.until("devices", `location.pathname === "/devices" && document.readyState === "complete"`)
	tb.taps("/")
	tb.until("the search field", `document.activeElement?.id === "q"`)
	tb.keys("PC-0041\r")
	tb.until("one row", `document.querySelectorAll("tbody tr").length === 1 && document.readyState === "complete"`)
	tb.taps("j")
	tb.until("the row's link", `document.activeElement?.textContent === "PC-0041"`)
	tb.keys("\r")
	tb.until("the device", `location.pathname === "/devices/d0002"`)
}
