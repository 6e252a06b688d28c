package bootimages

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	winio "github.com/Microsoft/go-winio/wim"

	"slipway/bootimages/bootimagetest"
	"slipway/fleet"
)

// winWorld is a builder with a synthetic source and an agent.
type winWorld struct {
	*Builder
	t      *testing.T
	dir    string
	source string
	o      Options
	log    []string
}

func newWinWorld(t *testing.T, s bootimagetest.WindowsSource) *winWorld {
	t.Helper()
	w := &winWorld{t: t, dir: t.TempDir(), Builder: &Builder{Data: t.TempDir(), Recipes: os.DirFS("../images")}}
	w.source = filepath.Join(w.dir, "boot.wim")
	if err := s.WriteWIM(w.source, w.dir); err != nil {
		t.Fatal(err)
	}
	machine := s.Machine
	if machine == 0 {
		machine = bootimagetest.MachineX64
	}
	agent := w.file("agent.exe", string(bootimagetest.WindowsProgram(machine, bootimagetest.SubsystemConsole)))
	w.o = Options{Agent: agent, AgentVersion: "1", Protocol: 1, Installation: "test", CAs: testCA(t), Servers: []string{"192.0.2.10:8443"},
		Windows: WindowsOptions{Source: w.source}}
	return w
}

// file writes a file of the administrator.
func (w *winWorld) file(name, content string) string {
	w.t.Helper()
	p := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(content), 0o644)); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *winWorld) build() (fleet.BootImage, error) {
	percent := 0
	w.log = nil
	return w.BuildWinPE(w.t.Context(), w.o, func(p Progress) {
		if p.Percent < percent {
			w.t.Errorf("progress fell from %d to %d", percent, p.Percent)
		}
		percent = p.Percent
		if p.Line != "" {
			w.log = append(w.log, p.Line)
		}
	})
}

func (w *winWorld) built() fleet.BootImage {
	w.t.Helper()
	i, err := w.build()
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

func (w *winWorld) path(i fleet.BootImage, name string) string {
	return filepath.Join(w.BootDir(), i.ID, name)
}

func (w *winWorld) read(i fleet.BootImage, name string) []byte {
	w.t.Helper()
	b, err := os.ReadFile(w.path(i, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// inside reads the image with a reader that is not ours and returns its files by
// path.
func inside(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := winio.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Image) != 1 {
		t.Fatalf("%d images", len(r.Image))
	}
	root, err := r.Image[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	var walk func(dir *winio.File, path string)
	walk = func(dir *winio.File, path string) {
		entries, err := dir.Readdir()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			p := path + "/" + e.Name
			if e.IsDir() {
				files[p+"/"] = ""
				walk(e, p)
				continue
			}
			c, err := e.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(c)
			if err = errors.Join(err, c.Close()); err != nil {
				t.Fatal(err)
			}
			files[p] = string(b)
		}
	}
	walk(root, "")
	return files
}

func picture(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const infX64 = "[Version]\r\nSignature=\"$Windows NT$\"\r\n[Manufacturer]\r\n%M%=Models,NTamd64\r\n"
const infARM = "[Manufacturer]\r\n%M%=Models,NTarm64\r\n"

// everything is a build with all options.
func everything(t *testing.T) *winWorld {
	w := newWinWorld(t, bootimagetest.WindowsSource{Large: 300_000, Extra: map[string]string{"Windows/System32/WindowsPowerShell/v1.0/powershell.exe": "ps"}})
	w.file("drivers/nic/e1.inf", infX64)
	w.file("drivers/nic/e1.sys", "driver")
	w.file("drivers/arm/e2.inf", infARM)
	w.file("overlay/windows/SYSTEM32/added.exe", "added")
	w.file("overlay/Tools/deep/er/tool.txt", "tool")
	w.file("hooks/before-network/10-first.cmd", "echo 1")
	w.file("hooks/before-network/data/x.txt", "used by it")
	w.file("hooks/after-network/net.ps1", "1")
	w.file("hooks/after-sign-in/in.exe", "exe")
	w.file("roots/a.pem", string(testCA(t)))
	w.o.Overlay, w.o.Windows.Drivers, w.o.Windows.Hooks, w.o.Windows.Roots = filepath.Join(w.dir, "overlay"), filepath.Join(w.dir, "drivers"), filepath.Join(w.dir, "hooks"), filepath.Join(w.dir, "roots")
	w.o.Windows.Wallpaper = w.file("wall.jpg", picture(t))
	return w
}

func TestWinPEHoldsWhatWasAskedFor(t *testing.T) {
	w := everything(t)
	before := w.fileSum(w.source)
	i := w.built()
	if after := w.fileSum(w.source); after != before {
		t.Error("the source was changed")
	}
	if i.Kind != KindWinPE || i.Architecture != X64 || i.KernelRelease != "10.0.26100.1742" || !ValidID(i.ID) {
		t.Errorf("image %+v", i)
	}
	files := inside(t, w.path(i, BootWIM))
	for name, want := range map[string]string{
		"/slipway/slipway-agent.exe":                              string(bootimagetest.WindowsProgram(bootimagetest.MachineX64, bootimagetest.SubsystemConsole)),
		"/slipway/installation":                                   "test\n",
		"/slipway/ca.pem":                                         string(canonicalCAs(w.o.CAs)),
		"/slipway/drivers/nic/e1.sys":                             "driver",
		"/slipway/hooks/before-network/data/x.txt":                "used by it",
		"/slipway/hooks/after-sign-in/in.exe":                     "exe",
		"/Windows/System32/winpe.jpg":                             picture(t),
		"/Windows/System32/added.exe":                             "added",
		"/Tools/deep/er/tool.txt":                                 "tool",
		"/Windows/System32/winpeshl.ini":                          "[LaunchApps]\r\n%SYSTEMROOT%\\System32\\cmd.exe, /d /c %SYSTEMDRIVE%\\slipway\\start.cmd\r\n",
		"/Windows/System32/config/SOFTWARE":                       "hive",
		"/Windows/System32/WindowsPowerShell/v1.0/powershell.exe": "ps",
	} {
		if got, ok := files[name]; !ok || got != want {
			t.Errorf("%s: %q, there %v", name, got, ok)
		}
	}
	if _, ok := files["/sources/setup.exe"]; ok {
		t.Error("Windows Setup is in the image")
	}
	var about Inside
	if err := json.Unmarshal([]byte(files["/slipway/image.json"]), &about); err != nil || about.ID != i.ID || about.Kind != KindWinPE || !slices.Equal(about.Servers, w.o.Servers) {
		t.Errorf("image.json: %+v, %v", about, err)
	}
	start := strings.Split(files["/slipway/start.cmd"], "\r\n")
	order := []string{`drvload "%SLIPWAY%\drivers\nic\e1.inf"`, `reg import "%SLIPWAY%\roots.reg"`, `cmd.exe /d /c ""%SLIPWAY%\hooks\before-network\10-first.cmd""`, "wpeinit ",
		`powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "%SLIPWAY%\hooks\after-network\net.ps1"`, `"%SLIPWAY%\slipway-agent.exe" winpe`}
	at := -1
	for _, want := range order {
		next := slices.IndexFunc(start, func(l string) bool { return strings.HasPrefix(l, want) })
		if next <= at {
			t.Errorf("%q stands in line %d, after line %d, of\n%s", want, next, at, files["/slipway/start.cmd"])
		}
		at = next
	}
	if strings.Contains(files["/slipway/start.cmd"], "e2.inf") || strings.Contains(files["/slipway/start.cmd"], "after-sign-in") || strings.Contains(files["/slipway/start.cmd"], "start cmd") {
		t.Errorf("start.cmd:\n%s", files["/slipway/start.cmd"])
	}
	if !strings.Contains(files["/slipway/roots.reg"], `\SystemCertificates\ROOT\Certificates\`) {
		t.Errorf("roots.reg: %s", files["/slipway/roots.reg"])
	}
}

func (w *winWorld) fileSum(p string) string {
	w.t.Helper()
	sum, _, err := hashFile(p)
	if err != nil {
		w.t.Fatal(err)
	}
	return sum
}

// The same source and settings give the same bytes, whenever and wherever.
func TestWinPEIsReproducible(t *testing.T) {
	w := everything(t)
	one := w.built()
	if again := w.built(); again.ID != one.ID {
		t.Errorf("the same build has two ids, %s and %s", one.ID, again.ID)
	}
	// wimlib writes the time in seconds into the description, and a GUID of its own.
	for start := time.Now(); time.Now().Unix() == start.Unix(); time.Sleep(20 * time.Millisecond) {
	}
	w.Builder = &Builder{Data: t.TempDir(), Recipes: w.Recipes}
	two := w.built()
	if !slices.Equal(one.Files, two.Files) {
		t.Errorf("other bytes:\n%v\n%v", one.Files, two.Files)
	}
	changed := w.o
	w.o.Servers = []string{"192.0.2.11:8443"}
	if three := w.built(); three.ID == one.ID {
		t.Error("another address gave the same id")
	}
	w.o = changed
}

func TestWinPEBootFiles(t *testing.T) {
	w := newWinWorld(t, bootimagetest.WindowsSource{})
	i := w.built()
	var names []string
	for _, f := range i.Files {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	want := []string{"BCD", "BCD.bios", "BCD.cd", "BCD.media", "boot.sdi", "boot.wim", "bootmgfw.efi", "bootmgr.exe", "pxeboot.n12", "report.json", "segmono_boot.ttf", "wgl4_boot.ttf"}
	if !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	if got := string(w.read(i, BootSDI)); got != "$SDI0001 stand-in" {
		t.Errorf("boot.sdi %q", got)
	}
	for name, loader := range map[string]string{BootStore: `winload.efi`, BIOSStore: `winload.exe`} {
		out, err := exec.Command("hivexregedit", "--export", "--prefix", "BCD", w.path(i, name), `\`).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		for _, text := range []string{`\Windows\System32\` + loader + "\x00", `\Boot\` + i.ID + `\boot.sdi` + "\x00", `\Boot\` + i.ID + `\boot.wim` + "\x00"} {
			var hex []string
			for _, c := range []byte(text) {
				hex = append(hex, "0123456789abcdef"[c>>4:c>>4+1]+"0123456789abcdef"[c&15:c&15+1], "00")
			}
			if !strings.Contains(string(out), strings.Join(hex, ",")) {
				t.Errorf("%s does not name %q:\n%s", name, text, out)
			}
		}
	}
}

func TestWinPEFromADisc(t *testing.T) {
	w := newWinWorld(t, bootimagetest.WindowsSource{})
	iso := filepath.Join(w.dir, "windows.iso")
	if err := (bootimagetest.WindowsSource{Large: 3 << 20, Without: []string{"Windows/Boot/DVD/EFI/boot.sdi", "Windows/Boot/EFI/bootmgfw.efi"}}).WriteISO(iso, w.dir); err != nil {
		t.Fatal(err)
	}
	w.o.Windows.Source = iso
	before := w.fileSum(iso)
	i := w.built()
	if got := string(w.read(i, BootSDI)); got != "$SDI0001 of the disc" {
		t.Errorf("boot.sdi %q", got)
	}
	if w.fileSum(iso) != before {
		t.Error("the disc was changed")
	}
	if _, ok := inside(t, w.path(i, BootWIM))["/slipway/slipway-agent.exe"]; !ok {
		t.Error("no agent in the image")
	}
	cut, err := os.ReadFile(iso)
	if err != nil {
		t.Fatal(err)
	}
	w.o.Windows.Source = w.file("cut.iso", string(cut[:len(cut)/2]))
	if _, err := w.build(); !errors.Is(err, ErrDiscDamaged) && !errors.Is(err, ErrSourceTruncated) {
		t.Errorf("half a disc: %v", err)
	}
	w.noRemains()
}

// noRemains sees that a failed build left nothing behind.
func (w *winWorld) noRemains() {
	w.t.Helper()
	left, err := filepath.Glob(filepath.Join(w.BootDir(), tempPrefix+"*"))
	if err != nil || len(left) > 0 {
		w.t.Errorf("left behind: %v %v", left, err)
	}
}

func TestWinPEChoosesTheImage(t *testing.T) {
	w := newWinWorld(t, bootimagetest.WindowsSource{})
	first := w.built()
	report, err := w.Report(first.ID)
	if err != nil || report.Index != 1 || !strings.Contains(report.Why, "plain Windows PE") {
		t.Errorf("%+v, %v", report, err)
	}
	if !slices.ContainsFunc(w.log, func(l string) bool {
		return strings.Contains(l, "image 2: Microsoft Windows Setup (x64), x64 10.0.26100.1742")
	}) {
		t.Errorf("the log does not name the images: %q", w.log)
	}
	w.o.Windows.Index = 2
	second := w.built()
	if _, ok := inside(t, w.path(second, BootWIM))["/sources/setup.exe"]; !ok || second.ID == first.ID {
		t.Error("--index 2 did not take the second image")
	}
	w.o.Windows.Index = 3
	if _, err := w.build(); !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), "no image 3") {
		t.Errorf("index 3: %v", err)
	}
	for name, c := range map[string]struct {
		images []string
		index  int
		why    string
	}{
		"winpe.wim": {[]string{"Microsoft Windows PE (arm64)"}, 1, "the only one"},
		"unnamed":   {[]string{"one", "two"}, 2, "the file boots"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWinWorld(t, bootimagetest.WindowsSource{Images: c.images, Machine: bootimagetest.MachineARM64})
			i := w.built()
			r, err := w.Report(i.ID)
			if err != nil || r.Index != c.index || !strings.Contains(r.Why, c.why) || i.Architecture != ARM64 {
				t.Errorf("%+v, %v, %s", r, err, i.Architecture)
			}
		})
	}
}

func TestWinPEReport(t *testing.T) {
	w := newWinWorld(t, bootimagetest.WindowsSource{})
	i := w.built()
	r, err := w.Report(i.ID)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"wmi": true, "scripting": true, "powershell": false, "hta": false, "netfx": false} {
		if r.Has(id) != want {
			t.Errorf("%s: %v", id, !want)
		}
	}
	script := r.Script()
	at := -1
	for _, line := range []string{"/Index:1 ", "call :add WinPE-NetFx", "call :add WinPE-PowerShell", "call :add WinPE-HTA", "/Commit"} {
		next := strings.Index(script, line)
		if next <= at {
			t.Errorf("%q is missing or out of order in\n%s", line, script)
		}
		at = next
	}
	if strings.Contains(script, "call :add WinPE-WMI ") || strings.Contains(strings.ReplaceAll(script, "\r\n", ""), "\n") {
		t.Errorf("script:\n%s", script)
	}
	if !slices.ContainsFunc(w.log, func(l string) bool { return strings.HasPrefix(l, "it lacks: .NET Framework, PowerShell") }) {
		t.Errorf("log %q", w.log)
	}
	if _, err := w.Report(strings.Repeat("0", 32)); !errors.Is(err, ErrOption) {
		t.Errorf("no such image: %v", err)
	}
}

func TestWinPERefusesBadSources(t *testing.T) {
	w := newWinWorld(t, bootimagetest.WindowsSource{Large: 200_000})
	whole, err := os.ReadFile(w.source)
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, b ...byte) string {
		c := bytes.Clone(whole)
		copy(c[at:], b)
		return string(c)
	}
	xml := int(uint64(whole[80]) | uint64(whole[81])<<8 | uint64(whole[82])<<16 | uint64(whole[83])<<24)
	noPE := filepath.Join(w.dir, "install.wim")
	if err := (bootimagetest.WindowsSource{Images: []string{"Windows 11 Pro"}, Without: []string{"Windows/System32/winpeshl.exe"}}).WriteWIM(noPE, w.dir); err != nil {
		t.Fatal(err)
	}
	x86 := filepath.Join(w.dir, "x86.wim")
	if err := (bootimagetest.WindowsSource{Machine: 0x14c}).WriteWIM(x86, w.dir); err != nil {
		t.Fatal(err)
	}
	noSDI := filepath.Join(w.dir, "nosdi.wim")
	if err := (bootimagetest.WindowsSource{Without: []string{"Windows/Boot/DVD/EFI/boot.sdi"}}).WriteWIM(noSDI, w.dir); err != nil {
		t.Fatal(err)
	}
	plainISO := filepath.Join(w.dir, "other.iso")
	if err := exec.Command("genisoimage", "-quiet", "-udf", "-o", plainISO, filepath.Join(w.dir)).Run(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		source string
		is     error
		says   string
	}{
		"missing":    {filepath.Join(w.dir, "none.wim"), os.ErrNotExist, "none.wim"},
		"a folder":   {w.dir, ErrOption, "not a file"},
		"empty":      {w.file("empty.wim", ""), ErrSourceTruncated, ""},
		"a text":     {w.file("a.txt", strings.Repeat("hello ", 10000)), ErrOption, "neither a disc image"},
		"cut":        {w.file("cut.wim", string(whole[:len(whole)-2000])), ErrSourceTruncated, "cut short"},
		"cut header": {w.file("head.wim", string(whole[:100])), ErrSourceTruncated, ""},
		"encrypted":  {w.file("encrypted.wim", change(xml, 0x17, 0x99, 0x42)), ErrSourceEncrypted, "encrypted"},
		"split":      {w.file("split.wim", change(42, 2)), ErrSourceSplit, "join"},
		"unfinished": {w.file("unfinished.wim", change(16, whole[16]|0x40)), ErrSourceTruncated, "did not finish"},
		"damaged":    {w.file("damaged.wim", change(len(whole)/3, bytes.Repeat([]byte{0x55}, 400)...)), ErrSourceDamaged, ""},
		"no PE":      {noPE, ErrOption, "no winpeshl.exe"},
		"32 bits":    {x86, ErrOption, "it is for x86"},
		"no sdi":     {noSDI, ErrOption, "boot.sdi is neither"},
		"other disc": {plainISO, ErrOption, "no sources/boot.wim"},
	} {
		w.o.Windows.Source = c.source
		_, err := w.build()
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		w.noRemains()
	}
	w.o.Windows.Source, w.o.Architecture = w.source, ARM64
	if _, err := w.build(); !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), "it is for x64, an image for arm64 was asked for") {
		t.Errorf("wrong architecture: %v", err)
	}
}

func TestWinPERefusesBadFolders(t *testing.T) {
	w := newWinWorld(t, bootimagetest.WindowsSource{})
	link := filepath.Join(w.dir, "linked")
	if err := errors.Join(os.Mkdir(link, 0o755), os.Symlink("x", filepath.Join(link, "y"))); err != nil {
		t.Fatal(err)
	}
	w.file("key/id_rsa", "x")
	w.file("two/A.txt", "")
	w.file("two/a.TXT", "")
	w.file("names/aux.txt", "")
	w.file("own/Slipway/start.cmd", "")
	w.file("shell/Windows/System32/WINPESHL.INI", "")
	w.file("noinf/readme.txt", "")
	w.file("arm/a.inf", infARM)
	w.file("percent/a%b.inf", infX64)
	w.file("moments/later/a.cmd", "")
	w.file("ps/after-network/a.ps1", "")
	w.file("nohooks/after-network/a.txt", "")
	for name, c := range map[string]struct {
		set  func(*Options, string)
		dir  string
		says string
	}{
		"secret":        {func(o *Options, d string) { o.Overlay = d }, "key", "looks like secrets"},
		"link":          {func(o *Options, d string) { o.Overlay = d }, "linked", "is a link"},
		"case":          {func(o *Options, d string) { o.Overlay = d }, "two", "one name to Windows"},
		"reserved name": {func(o *Options, d string) { o.Overlay = d }, "names", "cannot have a file named aux.txt"},
		"our files":     {func(o *Options, d string) { o.Overlay = d }, "own", "belongs to the image itself"},
		"winpeshl":      {func(o *Options, d string) { o.Overlay = d }, "shell", "belongs to the image itself"},
		"no inf":        {func(o *Options, d string) { o.Windows.Drivers = d }, "noinf", "no .inf file for x64"},
		"wrong inf":     {func(o *Options, d string) { o.Windows.Drivers = d }, "arm", "no .inf file for x64"},
		"odd inf":       {func(o *Options, d string) { o.Windows.Drivers = d }, "percent", "rename it"},
		"moment":        {func(o *Options, d string) { o.Windows.Hooks = d }, "moments", "hooks lie in the folders"},
		"PowerShell":    {func(o *Options, d string) { o.Windows.Hooks = d }, "ps", "needs PowerShell"},
		"no hooks":      {func(o *Options, d string) { o.Windows.Hooks = d }, "nohooks", "no program"},
		"wallpaper":     {func(o *Options, d string) { o.Windows.Wallpaper = filepath.Join(d, "a.cmd") }, "moments/later", "not a JPEG"},
		"roots":         {func(o *Options, d string) { o.Windows.Roots = filepath.Join(d, "id_rsa") }, "key", "root certificates"},
		"profile":       {func(o *Options, _ string) { o.Profile = "server" }, "", "of Linux images"},
	} {
		before := w.o
		c.set(&w.o, filepath.Join(w.dir, filepath.FromSlash(c.dir)))
		_, err := w.build()
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		w.o = before
	}
	w.noRemains()
}

func TestWinPEIsCancelled(t *testing.T) {
	w := newWinWorld(t, bootimagetest.WindowsSource{Large: 1 << 20})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := w.BuildWinPE(ctx, w.o, func(p Progress) {
		if p.Stage == "copying the image" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	w.noRemains()
}
