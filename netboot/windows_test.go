package netboot

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// windowsPolicy answers with a Windows PE image.
func windowsPolicy(target Target, w Windows) func(Client) (*Boot, error) {
	return func(Client) (*Boot, error) { return &Boot{Target: target, Windows: &w}, nil }
}

// windowsFiles fills a folder with the files of an image.
func windowsFiles(t *testing.T, dir string) {
	t.Helper()
	for name, content := range map[string]string{"bootmgfw.efi": "the boot manager", "BCD": "store", "BCD.bios": "store for BIOS", "boot.sdi": "sdi", "boot.wim": strings.Repeat("wim ", 100_000),
		"wgl4_boot.ttf": "font", "pxeboot.n12": "n12", "bootmgr.exe": "bios manager", "winpe.img": "a disk"} {
		write(t, filepath.Join(dir, imageID, name), []byte(content))
	}
}

// The boot manager gets everything from the server it came from, as it spells the
// names.
func TestWindowsByTFTP(t *testing.T) {
	dir := t.TempDir()
	windowsFiles(t, dir)
	policy := &fakePolicy{boot: windowsPolicy(TargetImage, Windows{Image: imageID, BIOS: true})}
	f := startTFTP(t, func(c *Config) { c.Images, c.Policy = NewDir(dir), policy })
	folder := deviceFolderOf(pxeClient(UEFI))
	want := func(name, content string) {
		t.Helper()
		if got, err := f.get(name); err != nil || string(got) != content {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	missing := func(name string) {
		t.Helper()
		if got, err := f.get(name); err == nil {
			t.Errorf("%s was served: %.40q", name, got)
		}
	}
	missing(`\Boot\BCD`) // nobody at this address loaded a boot manager
	want(folder+"bootmgfw.efi", "the boot manager")
	if _, n := policy.asked(); n != 1 {
		t.Errorf("the policy was asked to decide %d times", n)
	}
	want(`\Boot\BCD`, "store")
	want(`\BOOT\bcd`, "store")
	want(`\Boot\Fonts\wgl4_boot.ttf`, "font")
	want(`\Boot\`+strings.ToUpper(imageID)+`\BOOT.SDI`, "sdi")
	want(`\Boot\`+imageID+`\boot.wim`, strings.Repeat("wim ", 100_000))
	missing(`\Boot\Fonts\missing.ttf`)
	missing(`\Boot\Fonts\..\BCD`)
	missing(`\Boot\en-US\bootmgfw.efi.mui`)
	missing(`bootmgr.exe`)
	// A BIOS machine at the same address gets its own.
	want(folder+"pxeboot.n12", "n12")
	want("bootmgr.exe", "bios manager")
	want(`\Boot\BCD`, "store for BIOS")
	// To its disk: the boot manager is refused, and the firmware goes on.
	policy.set(windowsPolicy(TargetDisk, Windows{Image: imageID}))
	missing(folder + "bootmgfw.efi")
}

func TestWindowsClientsAreBoundedAndForgotten(t *testing.T) {
	var w windowsClients
	now := time.Unix(1_700_000_000, 0)
	for i := range maxWindowsClients + 10 {
		w.loaded(windowsAddr(i), windowsClient{image: imageID, at: now.Add(time.Duration(i) * time.Millisecond)})
	}
	if len(w.known) != maxWindowsClients {
		t.Errorf("%d are known", len(w.known))
	}
	if _, ok := w.get(windowsAddr(0), now); ok {
		t.Error("the oldest was not forgotten")
	}
	last := windowsAddr(maxWindowsClients + 9)
	if _, ok := w.get(last, now); !ok {
		t.Error("the newest is not known")
	}
	if _, ok := w.get(last, now.Add(windowsPatience+time.Hour)); ok {
		t.Error("it is known for ever")
	}
}

func TestWindowsPrograms(t *testing.T) {
	w := Windows{Image: imageID, BIOS: true, Disk: true}
	folder := deviceFolderOf(pxeClient(UEFI))
	plain, added := loaderNamesOnly{"undionly.kpxe", "snponly.efi"}, loaderNamesOnly{"undionly.kpxe", "snponly.efi", "wimboot"}
	for _, c := range []struct {
		name    string
		fw      Firmware
		loaders loaderNamesOnly
		change  func(*Windows)
		want    string
	}{
		{"UEFI", UEFI, plain, nil, folder + "bootmgfw.efi"},
		{"UEFI, wimboot there", UEFI, added, nil, folder + "bootmgfw.efi"},
		{"UEFI set to iPXE", UEFI, added, func(w *Windows) { w.ByIPXE = true }, "snponly.efi"},
		{"HTTP", UEFIHTTP, plain, nil, folder + "winpe.img"},
		{"HTTP without a disk", UEFIHTTP, plain, func(w *Windows) { w.Disk = false }, "snponly.efi"},
		{"BIOS", BIOS, plain, nil, folder + "pxeboot.n12"},
		{"BIOS, wimboot there", BIOS, added, nil, "undionly.kpxe"},
		{"BIOS without its manager", BIOS, plain, func(w *Windows) { w.BIOS = false }, "undionly.kpxe"},
	} {
		w := w
		if c.change != nil {
			c.change(&w)
		}
		p := &proxy{cfg: &Config{Loaders: c.loaders}}
		got, err := p.program(pxeClient(c.fw), &Boot{Target: TargetImage, Windows: &w, Way: WayOneFile})
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestWindowsScripts(t *testing.T) {
	w := Windows{Image: imageID, BIOS: true, Disk: true}
	for _, c := range []struct {
		name  string
		fw    Firmware
		w     Windows
		has   []string
		lacks string
	}{
		{"wimboot on UEFI", UEFI, Windows{Image: imageID, wimboot: true}, []string{"kernel --timeout 30000 http://10.77.0.2:8080/boot/loaders/wimboot || goto failed",
			"initrd --timeout 30000 --name bootmgfw.efi http://10.77.0.2:8080/boot/" + imageID + "/bootmgfw.efi bootmgfw.efi || goto failed", "/BCD.media BCD ||", "/boot.wim boot.wim ||", "boot || goto failed"}, "sanboot"},
		{"wimboot on BIOS", BIOS, Windows{Image: imageID, BIOS: true, wimboot: true}, []string{"--name bootmgr.exe "}, "bootmgfw"},
		{"a disk on UEFI", UEFI, w, []string{"sanboot --no-describe http://10.77.0.2:8080/boot/" + imageID + "/winpe.img || goto failed"}, "wimboot"},
		{"nothing on BIOS", BIOS, w, []string{"echo Slipway: Windows PE needs wimboot on this way"}, "boot.wim"},
		{"no BIOS manager", BIOS, Windows{Image: imageID, wimboot: true}, []string{"no boot manager for BIOS machines"}, "boot.wim"},
	} {
		text, err := renderScript(testSite, "/boot/script/525400000001?arch=x64&fw=uefi", c.fw, Boot{Target: TargetImage, Windows: &c.w})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, line := range c.has {
			if !strings.Contains(text, line) {
				t.Errorf("%s: no %q in\n%s", c.name, line, text)
			}
		}
		if strings.Contains(text, c.lacks) {
			t.Errorf("%s: %q in\n%s", c.name, c.lacks, text)
		}
	}
}

// Firmware takes the disk for one by its type, and another device gets none.
func TestWindowsDiskByHTTP(t *testing.T) {
	dir := t.TempDir()
	windowsFiles(t, dir)
	policy := &fakePolicy{boot: windowsPolicy(TargetImage, Windows{Image: imageID, Disk: true})}
	h := newHTTPHandler(&Config{Policy: policy, Images: NewDir(dir), Loaders: NewDir(t.TempDir()), Logger: slog.New(slog.DiscardHandler)}, &Counters{})
	url := "/boot/" + deviceFolderOf(pxeClient(UEFIHTTP)) + "winpe.img"
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", url, nil))
		return w
	}
	resp := get()
	if resp.Code != http.StatusOK || resp.Body.String() != "a disk" || resp.Header().Get("Content-Type") != "application/vnd.efi-img" {
		t.Errorf("%d %q %v", resp.Code, resp.Body, resp.Header())
	}
	policy.set(windowsPolicy(TargetDisk, Windows{Image: imageID}))
	if resp := get(); resp.Code != http.StatusNotFound {
		t.Errorf("a device that is to start from its disk: %d", resp.Code)
	}
}

func windowsAddr(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}) }
