package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

var update = flag.Bool("update", false, "write the golden files anew; only for a form that was never released")

func sample(t testing.TB, vendor string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", vendor+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func vendorOf(t testing.TB, name string) Vendor {
	t.Helper()
	v, err := FindVendor(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What each maker's list becomes stands in a golden file, which is our own form as well.
func TestListsOfVendors(t *testing.T) {
	for _, v := range Vendors() {
		c, left, err := v.Read(sample(t, v.Name))
		if err != nil {
			t.Fatal(v.Name, err)
		}
		if want := map[string]int{"dell": 1}[v.Name]; left != want {
			t.Errorf("%s: %d entries were left out, want %d", v.Name, left, want)
		}
		got, err := json.MarshalIndent(c, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", v.Name+"-format-1.json")
		if *update {
			if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(got)+"\n" != string(want) {
			t.Errorf("%s: %v\n%s", v.Name, err, got)
		}
		again, err := Parse(want)
		if err != nil || again.Name != v.Name || len(again.Entries) != len(c.Entries) {
			t.Errorf("%s: our own form is not read again: %v", v.Name, err)
		}
	}
}

func TestListsInUTF16(t *testing.T) {
	text := strings.Replace(string(sample(t, "dell")), "utf-8", "utf-16", 1)
	for name, order := range map[string][2]int{"little": {0, 1}, "big": {1, 0}} {
		var wide bytes.Buffer
		for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
			pair := [2]byte{byte(u), byte(u >> 8)}
			wide.Write([]byte{pair[order[0]], pair[order[1]]})
		}
		if c, _, err := vendorOf(t, "dell").Read(wide.Bytes()); err != nil || len(c.Entries) != 2 {
			t.Errorf("%s: %d entries, %v", name, len(c.Entries), err)
		}
	}
}

func TestListsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "empty",
		"<html><body>Sorry</body>":    "expected element",
		"<DriverPackManifest/>":       "holds nothing that can be fetched",
		"<DriverPackManifest><Driver": "",
		`<?xml version="1.0" encoding="koi8-r"?><DriverPackManifest/>`: "koi8-r",
	} {
		if _, _, err := vendorOf(t, "dell").Read([]byte(text)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := FindVendor("acme"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "dell, hp, lenovo, microsoft") {
		t.Error(err)
	}
}

func TestOwnCataloguesAreCheckedStrictly(t *testing.T) {
	const good = `{"kind":"operatingsystem","name":"x","url":"https://example.com/x.wim","os":"Windows 11","architecture":"x64"}`
	if _, err := Parse([]byte(`{"format":1,"name":"own","entries":[` + good + `]}`)); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		`{"format":2,"name":"own","entries":[]}`:                                                                      "format 2",
		`{"format":1,"name":"../x","entries":[]}`:                                                                     "name:",
		`{"format":1,"name":"own","entries":[],"more":1}`:                                                             "more",
		`{"format":1,"name":"own","entries":[]}{}`:                                                                    "follows",
		`{"format":1,"name":"own","entries":[` + strings.Replace(good, "https", "ftp", 1) + `]}`:                      "entry 1",
		`{"format":1,"name":"own","entries":[` + strings.Replace(good, "https://", "https://me:secret@", 1) + `]}`:    "password",
		`{"format":1,"name":"own","entries":[` + strings.Replace(good, `"x64"`, `"vax"`, 1) + `]}`:                    "architecture",
		`{"format":1,"name":"own","entries":[` + strings.Replace(good, `}`, `,"digest":"sha256:00"}`, 1) + `]}`:       "digest",
		`{"format":1,"name":"own","entries":[` + strings.Replace(good, `"operatingsystem"`, `"driverpack"`, 1) + `]}`: "manufacturer",
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func all(t *testing.T) []Catalogue {
	t.Helper()
	var out []Catalogue
	for _, v := range Vendors() {
		c, _, err := v.Read(sample(t, v.Name))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func TestDriverPacksAreFoundByModel(t *testing.T) {
	for _, tt := range []struct {
		q    Drivers
		want string // in the URL
	}{
		{Drivers{MakeAlias: "Dell", ModelAlias: "latitude 5440", OS: "Windows 11", Architecture: "x64"}, "Latitude-5440-Win11"},
		{Drivers{Make: "Dell Inc.", MakeAlias: "Dell", Model: "Unknown", SystemAlias: "0C1B", OS: "Windows 11", Architecture: "x64"}, "Latitude-5440-Win11"},
		{Drivers{MakeAlias: "HP", SystemAlias: "8723", OS: "Windows 11", Architecture: "x64"}, "sp150001"},
		{Drivers{MakeAlias: "HP", SystemAlias: "8723", OS: "Windows 11", Version: "22h2", Architecture: "x64"}, "sp140001"},
		{Drivers{MakeAlias: "HP", SystemAlias: "8723", OS: "Windows 11", Version: "24H2", Architecture: "x64"}, "sp150001"},
		{Drivers{MakeAlias: "Lenovo", ModelAlias: "21HE", OS: "Windows 11", Architecture: "x64"}, "23h2"},
		{Drivers{MakeAlias: "Lenovo", ModelAlias: "21HE", OS: "Windows 10", Version: "22H2", Architecture: "x64"}, "w10"},
		{Drivers{MakeAlias: "Lenovo", ModelAlias: "21HE", OS: "Windows 11", Architecture: "arm64"}, ""},
		{Drivers{MakeAlias: "Dell", ModelAlias: "21HE", OS: "Windows 11", Architecture: "x64"}, ""},
		{Drivers{OS: "Windows 11", Architecture: "x64"}, ""},
	} {
		e, found := FindDrivers(all(t), tt.q)
		if found != (tt.want != "") || !strings.Contains(e.URL, tt.want) {
			t.Errorf("%+v: %v, %s", tt.q, found, e.URL)
		}
	}
}

func TestOperatingSystemsAreFound(t *testing.T) {
	for _, edition := range []string{"Professional", "pro", "Core", "Home", ""} {
		e, err := FindSystem(all(t), System{OS: "Windows 11", Version: "24H2", Edition: edition, Architecture: "x64", LanguageCode: "de-DE"})
		if err != nil || e.Image == "" {
			t.Errorf("%q: %+v, %v", edition, e, err)
		}
	}
	for q, want := range map[System]string{
		{OS: "Windows 12"}:                        `no operating system "Windows 12"; there is: Windows 10, Windows 11`,
		{OS: "Windows 11", LanguageCode: "fr-fr"}: `no language "fr-fr"; there is: de-de`,
		{OS: "Windows 11", Edition: "Ultimate"}:   `no edition "Ultimate"; there is: Core, Professional`,
		{OS: "Windows 10", Architecture: "x64"}:   `no architecture "x64"; there is: arm64`,
	} {
		if _, err := FindSystem(all(t), q); !errors.Is(err, ErrNotThere) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := FindSystem(nil, System{}); !errors.Is(err, ErrNotThere) || !strings.Contains(err.Error(), "slipway catalogue import") {
		t.Error(err)
	}
}

func FuzzVendors(f *testing.F) {
	for _, v := range Vendors() {
		f.Add(sample(f, v.Name))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, v := range Vendors() {
			c, _, err := v.Read(text)
			if err == nil && c.Check() != nil {
				t.Errorf("%s: %q becomes what is no catalogue: %v", v.Name, text, c.Check())
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, v := range Vendors() {
		text, err := os.ReadFile(filepath.Join("testdata", v.Name+"-format-1.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(written); err != nil {
			t.Errorf("%q is not read again: %v", written, err)
		}
	})
}

// A list with as many models as fit into it is read in a time that grows with its size.
func TestListsOfManyModels(t *testing.T) {
	const many = 20_000
	var dell, systems, hp strings.Builder
	for i := range many {
		systems.WriteString(`<OperatingSystem osCode="Windows11"/>`)
		fmt.Fprintf(&dell, `<Model name="M%d"/>`, i)
		fmt.Fprintf(&hp, `<ProductOSDriverPack><SystemId>%x</SystemId><SystemName>M%d</SystemName><OSName>Windows 11</OSName><SoftPaqId>sp1</SoftPaqId></ProductOSDriverPack>`, i, i)
	}
	began := time.Now()
	lists := map[string]string{
		"dell": `<DriverPackManifest><DriverPackage path="a.exe"><SupportedOperatingSystems>` + systems.String() + `</SupportedOperatingSystems><SupportedSystems><Brand>` + dell.String() + `</Brand></SupportedSystems></DriverPackage></DriverPackManifest>`,
		"hp":   `<NewDataSet><HPClientDriverPackCatalog><ProductOSDriverPackList>` + hp.String() + `</ProductOSDriverPackList><SoftPaqList><SoftPaq><Id>sp1</Id><Name>A</Name><Url>https://x.example/a.exe</Url></SoftPaq></SoftPaqList></HPClientDriverPackCatalog></NewDataSet>`,
	}
	for name, list := range lists {
		v, err := FindVendor(name)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := v.read([]byte(list))
		if err != nil || len(entries) != 1 || len(entries[0].Models) <= maxModels {
			t.Errorf("%s: %d entries, %v", name, len(entries), err)
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// fakeUnpacker makes a cabinet, and puts a script into the place of what unpacks it.
func fakeUnpacker(t *testing.T, script string) (cabinet string) {
	t.Helper()
	dir := t.TempDir()
	cabinet = filepath.Join(dir, "list.cab")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "cabextract"), []byte("#!/bin/sh\n"+script), 0o700), os.WriteFile(cabinet, []byte("MSCF"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return cabinet
}

// A small cabinet may hold very much: it is given up, and never in memory as a whole.
func TestCabinetsThatHoldTooMuch(t *testing.T) {
	cabinet := fakeUnpacker(t, "/bin/head -c 100M /dev/zero\n")
	began := time.Now()
	if _, err := readList(t.Context(), cabinet); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// A tool that has much to say has unpacked the list all the same.
func TestWarningsOfTheUnpacker(t *testing.T) {
	cabinet := fakeUnpacker(t, "i=0\nwhile [ $i -lt 100 ]; do echo \"warning $i: the cabinet has spare bytes\" >&2; i=$((i+1)); done\necho '<list/>'\n")
	if text, err := readList(t.Context(), cabinet); err != nil || string(text) != "<list/>\n" {
		t.Errorf("%q, %v", text, err)
	}
}
