package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/agent/winetest/script"
	"slipway/agent/wire"
)

// maker is a server that publishes a list of driver packs, as Dell does, and one of
// Windows images, as Microsoft does.
type maker struct {
	*httptest.Server
	asked map[string]int
	pack  []byte // a zip
	image []byte // a WIM
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	m := &maker{asked: map[string]int{}}
	var pack bytes.Buffer
	z := zip.NewWriter(&pack)
	for name, text := range map[string]string{"win11/x64/net/e1.inf": "; a driver", "win11/x64/net/e1.sys": "x"} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(makeWIM(t))
	if err != nil {
		t.Fatal(err)
	}
	m.pack, m.image = pack.Bytes(), image
	files := map[string]func() []byte{"/packs/Latitude.exe": func() []byte { return m.pack }, "/a.esd": func() []byte { return m.image },
		"/DriverPackCatalog.cab": func() []byte { return m.cabinet(t) }, "/products.xml": m.products}
	lock := make(chan struct{}, 1)
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock <- struct{}{}
		m.asked[r.URL.Path]++
		<-lock
		if files[r.URL.Path] == nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(files[r.URL.Path]())
	}))
	t.Cleanup(m.Close)
	return m
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// cabinet is the list of driver packs, in a cabinet.
func (m *maker) cabinet(t *testing.T) []byte {
	dir := t.TempDir()
	list := fmt.Sprintf(`<DriverPackManifest xmlns="openmanifest" baseLocation="%s"><DriverPackage path="packs/Latitude.exe" type="win" size="%d" dellVersion="A01">
		<Name><Display>Latitude Driver Pack</Display></Name><SupportedOperatingSystems><OperatingSystem osCode="Windows11" osArch="x64"/></SupportedOperatingSystems>
		<SupportedSystems><Brand><Model systemID="0C1A" name="Latitude 5440"/></Brand></SupportedSystems>
		<Cryptography><Hash algorithm="SHA256">%s</Hash></Cryptography></DriverPackage></DriverPackManifest>`, m.URL, len(m.pack), sumOf(m.pack))
	if err := os.WriteFile(filepath.Join(dir, "DriverPackCatalog.xml"), []byte(list), 0o600); err != nil {
		t.Error(err)
	}
	c := exec.Command("gcab", "--create", "list.cab", "DriverPackCatalog.xml")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("gcab (package gcab): %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "list.cab"))
	if err != nil {
		t.Error(err)
	}
	return text
}

// products is the list of images.
func (m *maker) products() []byte {
	return fmt.Appendf(nil, `<MCT><Catalogs><Catalog><PublishedMedia><Files><File><FileName>26100.1.x64FRE_de-de.esd</FileName><LanguageCode>de-de</LanguageCode>
		<Edition>Professional</Edition><Architecture>x64</Architecture><Size>%d</Size><Sha256>%s</Sha256><FilePath>%s/a.esd</FilePath></File></Files></PublishedMedia></Catalog></Catalogs></MCT>`,
		len(m.image), sumOf(m.image), m.URL)
}

const privateAddresses = "content: {private_addresses: true}\n"

func TestCatalogues(t *testing.T) {
	m := newMaker(t)
	r := startWith(t, t.TempDir(), privateAddresses)
	if out := r.must("", "catalogue", "import", "dell", m.URL+"/DriverPackCatalog.cab"); !strings.Contains(out, "dell: 1 driver packs, 0 operating systems") {
		t.Error(out)
	}
	file := filepath.Join(t.TempDir(), "products.xml")
	if err := os.WriteFile(file, m.products(), 0o600); err != nil {
		t.Fatal(err)
	}
	r.must("", "catalogue", "import", "microsoft", file)
	own := filepath.Join(t.TempDir(), "own.json")
	if err := os.WriteFile(own, []byte(`{"format":1,"name":"ours","entries":[{"kind":"operatingsystem","name":"Our Windows","url":"https://files.example.com/our.wim","os":"Windows 11","architecture":"x64","edition":"Ours"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r.must("", "catalogue", "import", "--own", own)
	list := r.must("", "catalogue", "list")
	for _, name := range []string{"dell", "microsoft", "ours"} {
		if !strings.Contains(list, name) {
			t.Errorf("%s is missing in\n%s", name, list)
		}
	}
	if out := r.must("", "catalogue", "search", "latitude 5440"); !strings.Contains(out, "Dell Latitude Driver Pack A01") || strings.Contains(out, "Our Windows") {
		t.Error(out)
	}
	var entries []string
	for i := range 201 {
		entries = append(entries, fmt.Sprintf(`{"kind":"driverpack","name":"Pack %d","url":"https://files.example.com/%d.zip","os":"Windows 11","manufacturer":"Many","models":["M%d"]}`, i, i, i))
	}
	many := filepath.Join(t.TempDir(), "many.json")
	if err := os.WriteFile(many, []byte(`{"format":1,"name":"many","entries":[`+strings.Join(entries, ",")+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r.must("", "catalogue", "import", "--own", many)
	if _, out, said := r.cli("", "catalogue", "search", "many"); strings.Count(out, "\n") != 201 || !strings.Contains(said, "200 of 201") {
		t.Errorf("%d lines, and it says %q", strings.Count(out, "\n"), said)
	}
	r.must("", "catalogue", "remove", "many")
	if out := r.must("", "catalogue", "refresh", "dell"); !strings.Contains(out, "dell: 1 driver packs") || m.asked["/DriverPackCatalog.cab"] != 2 {
		t.Errorf("%s; the list was fetched %d times", out, m.asked["/DriverPackCatalog.cab"])
	}
	if code, _, said := r.cli("", "catalogue", "refresh", "ours"); code == 0 || !strings.Contains(said, "import its file again") {
		t.Errorf("one of a file: exit %d, %s", code, said)
	}
	r.must("", "catalogue", "remove", "ours")
	for args, want := range map[string]string{
		"import acme " + own:                         "dell, hp, lenovo, microsoft",
		"import hp " + file:                          "hp cannot be read",
		"import dell " + m.URL + "/nothing":          "404",
		"import --own " + filepath.Join(own, "none"): "not a directory",
		"remove ours":                                "no catalogue",
	} {
		if code, _, said := r.cli("", append([]string{"catalogue"}, strings.Fields(args)...)...); code == 0 || !strings.Contains(said, want) {
			t.Errorf("%s: exit %d, %s", args, code, said)
		}
	}
	if out := r.must("", "catalogue", "list"); !strings.Contains(out, "dell") || strings.Contains(out, "ours") {
		t.Errorf("after failures:\n%s", out)
	}
}

// A list is not fetched from the appliance's own networks unless the configuration says so.
func TestCataloguesOfPrivateAddressesAreRefused(t *testing.T) {
	m := newMaker(t)
	r := start(t, t.TempDir())
	if code, _, said := r.cli("", "catalogue", "import", "dell", m.URL+"/DriverPackCatalog.cab"); code == 0 || !strings.Contains(said, "content.private_addresses") || m.asked["/DriverPackCatalog.cab"] > 0 {
		t.Errorf("exit %d, %s", code, said)
	}
}

// What devices ask for is fetched once, checked, and reaches only deployments whose task
// sequence says so.
func TestWhatACatalogueNamesIsFetchedOnce(t *testing.T) {
	m := newMaker(t)
	r := startWith(t, t.TempDir(), privateAddresses)
	r.must("slipway-lab\n", "passcode", "set")
	r.must("", "catalogue", "import", "dell", m.URL+"/DriverPackCatalog.cab")
	r.must(`{"id":"plain","name":"Without","status":"active","steps":[{"id":"s","name":"S","definition":"reboot"}]}`, "sequence", "import", "-")
	r.must(`{"id":"cloud","name":"With","status":"active","steps":[{"id":"s","name":"S","definition":"inject-drivers-from-cloud"}]}`, "sequence", "import", "-")
	begin := func(serial, sequence string) (*booted, wire.Deployment) {
		t.Helper()
		b := r.boot(wire.Device{Serial: serial, Model: "T1"})
		if code := b.signIn("slipway-lab"); code != http.StatusOK {
			t.Fatalf("sign-in answers %d", code)
		}
		var d wire.Deployment
		if code := b.call("POST", "/deployments", wire.StartDeployment{Key: serial, Sequence: sequence, Environment: wire.FullOS}, &d); code != http.StatusCreated {
			t.Fatalf("start answers %d", code)
		}
		return b, d
	}
	q := wire.CloudQuery{OS: "Windows 11", Architecture: "x64", Drivers: &wire.DriverQuery{MakeAlias: "Dell", ModelAlias: "Latitude 5440"}}
	ask := func(b *booted, d wire.Deployment) (code int, a wire.CloudAnswer) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			a = wire.CloudAnswer{}
			if code = b.call("POST", "/deployments/"+d.ID+"/cloud", q, &a); code != http.StatusOK || a.Wait == 0 || time.Now().After(deadline) {
				return code, a
			}
		}
	}
	plain, d := begin("PC-0", "plain")
	if code, _ := ask(plain, d); code != http.StatusForbidden {
		t.Errorf("a sequence without the step answers %d", code)
	}
	good := m.pack
	m.pack = append(bytes.Clone(good), 0)
	b, d := begin("PC-1", "cloud")
	if code, _ := ask(b, d); code != http.StatusConflict {
		t.Errorf("a file that was changed on the way answers %d", code)
	}
	m.pack = good
	code, a := ask(b, d)
	if code != http.StatusOK || len(a.Content) != 1 {
		t.Fatalf("%d, %+v\n%s", code, a, r.log.String())
	}
	var manifest wire.ContentManifest
	if code := b.call("GET", fmt.Sprintf("/content/%s/%d", a.Content[0].Item, a.Content[0].Version), nil, &manifest); code != http.StatusOK || len(manifest.Files) != 2 || manifest.Manufacturer != "Dell" {
		t.Errorf("%d, %+v", code, manifest)
	}
	before := m.asked["/packs/Latitude.exe"]
	other, d2 := begin("PC-2", "cloud")
	if code, again := ask(other, d2); code != http.StatusOK || len(again.Content) != 1 || again.Content[0] != a.Content[0] || m.asked["/packs/Latitude.exe"] != before {
		t.Errorf("%d, %+v; fetched %d times, then %d", code, again, before, m.asked["/packs/Latitude.exe"])
	}
	q.Drivers.ModelAlias = "Precision 1"
	if code, none := ask(other, d2); code != http.StatusOK || len(none.Content) != 0 {
		t.Errorf("a model without a pack: %d, %+v", code, none)
	}
}

// From WinPE onto an empty disk with what makers publish: the appliance fetches it while
// the device waits.
func TestWindowsFromTheCloud(t *testing.T) {
	t.Parallel()
	m := newMaker(t)
	w := bootWinPEWith(t, privateAddresses)
	w.prefix.Drive(t, "w")
	w.prefix.Drive(t, "s")
	w.must("", "catalogue", "import", "dell", m.URL+"/DriverPackCatalog.cab")
	w.must("", "catalogue", "import", "microsoft", m.URL+"/products.xml")
	w.sequence(`{"id":"metal","name":"Windows from cloud","variables":{"ComputerName":"PC-1"},"steps":[
		{"id":"uefi","name":"A machine with UEFI","definition":"set-variable","settings":{"VariableName":"IsUEFI","VariableValue":"True"}},
		{"id":"make","name":"A Dell","definition":"set-variable","settings":{"VariableName":"MakeAlias","VariableValue":"Dell"}},
		{"id":"model","name":"A Latitude","definition":"set-variable","settings":{"VariableName":"ModelAlias","VariableValue":"Latitude 5440"}},
		{"id":"format","name":"Format","definition":"format-disk","settings":{"Layout":"windows"}},
		{"id":"apply","name":"Apply","definition":"apply-operating-system-from-cloud","settings":{"LanguageCode":"de-DE","Architecture":"x64"}},
		{"id":"drivers","name":"Drivers","definition":"inject-drivers-from-cloud"},
		{"id":"off","name":"End","definition":"set-variable","settings":{"VariableName":"FinishAction","VariableValue":"shutdown"}}]}`)
	fakes := w.prefix.Fakes(t,
		script.Call{Program: "diskpart", Args: []string{"/s", "*.txt"}, InputAt: 1, Input: windowsScript},
		script.Call{Program: "dism", Args: []string{"/English", "/Apply-Image", `/ImageFile:W:\slipway\image\image.esd`, "/Name:Windows 11 Pro", `/ApplyDir:W:\`, `/ScratchDir:W:\slipway\image\scratch`},
			Make: map[string]string{`W:\Windows\System32\ntdll.dll`: "x"}},
		script.Call{Program: "bcdboot", Args: []string{`W:\Windows`, "/s", "S:", "/f", "UEFI"}},
		script.Call{Program: "dism", Args: []string{"/English", `/Image:W:\`, "/Add-Driver", `/Driver:W:\slipway\*`, "/Recurse"}},
		script.Call{Program: "wpeutil", Args: []string{"shutdown"}})
	w.power()
	w.signsIn()
	w.sees("Choose a task sequence")
	w.types("2")
	w.sees("Succeeded")
	w.ends()
	fakes.Done(t)
	if d := w.deployment(); d.Deployment.Status != "succeeded" {
		t.Errorf("%+v", d)
	}
	if show := w.must("", "content", "show", "26100.1.x64FRE_de-de.esd:1"); !strings.Contains(show, "pipable.wim") {
		t.Errorf("the Linux boot image could not apply what was fetched:\n%s", show)
	}
	if m.asked["/a.esd"] != 1 || m.asked["/packs/Latitude.exe"] != 1 {
		t.Errorf("fetched: %v", m.asked)
	}
}
