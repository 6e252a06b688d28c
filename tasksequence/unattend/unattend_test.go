package unattend

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"slipway/tasksequence"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	adminPassword = "Geheim & 1<2"
	joinPassword  = "join-me-quietly"
	productKey    = "abcde-12345-fghij-67890-klmno"
)

func yes() *bool { b := true; return &b }

// everything has a value in every setting that can stand beside the others.
func everything() Settings {
	return Settings{
		Architecture: AMD64, SystemLocale: "de-DE", UserLocale: "de-AT", UILanguage: "en-US", InputLocale: "0407:00000407;en-US",
		TimeZone: "Europe/Berlin", ComputerName: "PC-0815", RegisteredOwner: `R & D "North"`, RegisteredOrganization: "Example <Ltd>",
		ProductKey: NewSecret(productKey), CopyProfile: yes(), AdministratorPassword: NewSecret(adminPassword),
		Accounts: []Account{{Name: "Operator", DisplayName: "Op", Description: "for the hall", Group: "Administrators;Users", Password: NewSecret("op-password")},
			{Name: "kiosk", Group: "Guests"}},
		AutoLogon: &AutoLogon{Username: "Operator", Domain: ".", Password: NewSecret("op-password"), Count: 2},
		Domain:    &Domain{Name: "corp.example.com", OU: "OU=Clients,DC=example,DC=com", Username: "joiner", Password: NewSecret(joinPassword)},
		OOBE: &OOBE{HideEULA: true, HideOEMRegistration: true, HideOnlineAccountScreens: true, HideWirelessSetup: true, HideLocalAccount: true,
			ProtectYourPC: 3, NetworkLocation: "Work"},
		Commands: []Command{
			{Pass: Specialize, Line: `C:\Windows\slipway-agent.exe continue`, Description: "goes on", Reboot: "OnRequest"},
			{Pass: Specialize, Order: 1, Line: `cmd /c "echo ours"`},
			{Pass: AuditUser, Line: "cmd /c audit"},
			{Pass: WindowsPE, Order: 3, Line: "cmd /c pe"}},
		FirstLogon:  []Command{{Line: "cmd /c hello", Description: "greets"}},
		DriverPaths: []string{`C:\Drivers`}, KeepDrivers: true, WindowsSetup: true,
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not as it was:\n%s", name, got)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func merged(t *testing.T, given []byte, s Settings) (*File, []Change) {
	t.Helper()
	f, err := Parse(given)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := f.Merge(s)
	if err != nil {
		t.Fatal(err)
	}
	return f, changes
}

// wellFormed reads the whole as another reader does, namespaces included.
func wellFormed(t *testing.T, text []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
}

func TestNewFilesAreAsTheyWere(t *testing.T) {
	for _, architecture := range []string{AMD64, ARM64} {
		s := everything()
		s.Architecture = architecture
		f := New()
		if _, err := f.Merge(s); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, f.Bytes())
		golden(t, "new-"+architecture+".xml", f.Bytes())
	}
	f := New()
	s := Settings{Architecture: AMD64, Workgroup: "HALL", Reseal: "Audit"}
	if _, err := f.Merge(s); err != nil {
		t.Fatal(err)
	}
	golden(t, "new-audit.xml", f.Bytes())
	f = New()
	if _, err := f.Merge(Settings{Architecture: AMD64, Domain: &Domain{Blob: NewSecret("QUJD")}}); err != nil {
		t.Fatal(err)
	}
	golden(t, "new-offline-join.xml", f.Bytes())
}

// TestNothingOfAGivenFileIsLost takes the merged file apart: but for the texts that were
// replaced, every line of the given one is there, in its order.
func TestNothingOfAGivenFileIsLost(t *testing.T) {
	for _, name := range []string{"given-sim", "given-prefixed"} {
		given := read(t, name+".xml")
		f, changes := merged(t, given, everything())
		wellFormed(t, f.Bytes())
		golden(t, name+".merged.xml", f.Bytes())
		replaced := map[string]bool{}
		for _, c := range changes {
			if c.Old != "" {
				replaced[c.Path] = true
			}
		}
		if !bytes.Contains(f.Bytes(), []byte("<!-- until the move -->")) && name == "given-sim" {
			t.Error("the comment in a value is lost")
		}
		if name == "given-sim" && len(replaced) != 6 {
			t.Errorf("%d values were replaced: %v", len(replaced), replaced)
		}
		rest := string(f.Bytes())
		for line := range strings.Lines(string(given)) {
			line = strings.TrimSpace(line)
			if name == "given-sim" && strings.Contains("<ComputerName>*</ComputerName> <!-- the sequence names it -->|<TimeZone>UTC<!-- until the move --></TimeZone>|<Path>cmd /c echo \"one\" &gt; C:\\one.txt</Path>|<Value>old-password-in-clear</Value>|<PlainText>true</PlainText>|<Group>Users</Group>", line) {
				continue
			}
			if name == "given-prefixed" {
				line = strings.TrimSuffix(strings.TrimSuffix(line, "</u:component></u:settings>"), "/></u:settings>")
				line = strings.TrimSuffix(line, "/>")
			}
			i := strings.Index(rest, line)
			if i < 0 {
				t.Fatalf("%s: lost, or out of order: %s\n%s", name, line, f.Bytes())
			}
			rest = rest[i+len(line):]
		}
		again, err := f.Merge(everything())
		if err != nil || len(again) != 0 {
			t.Errorf("the second merge changed %v, %v", again, err)
		}
	}
}

func TestUTF16IsRead(t *testing.T) {
	text := strings.Replace(string(read(t, "given-sim.xml")), "utf-8", "UTF-16", 1)
	var wide bytes.Buffer
	wide.Write([]byte{0xff, 0xfe})
	for _, u := range utf16.Encode([]rune(text)) {
		wide.Write([]byte{byte(u), byte(u >> 8)})
	}
	f, _ := merged(t, wide.Bytes(), everything())
	if !bytes.Equal(f.Bytes(), read(t, "given-sim.merged.xml")) {
		t.Errorf("another outcome than of UTF-8:\n%s", f.Bytes())
	}
	wellFormed(t, f.Bytes())
}

func TestHostileAndWrongFilesAreRefused(t *testing.T) {
	deep := `<unattend xmlns="` + spaceUnattend + `">` + strings.Repeat("<a>", MaxDepth) + strings.Repeat("</a>", MaxDepth) + `</unattend>`
	wide := `<unattend xmlns="` + spaceUnattend + `">` + strings.Repeat("<a/>", MaxElements) + `</unattend>`
	for text, want := range map[string]string{
		`<!DOCTYPE u [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]><unattend xmlns="` + spaceUnattend + `">&c;</unattend>`: "document type",
		`<unattend xmlns="` + spaceUnattend + `">&secret;</unattend>`:                                                 "entity",
		`<unattend xmlns="` + spaceUnattend + `"><a></unattend>`:                                                      "does not end",
		`<unattend xmlns="` + spaceUnattend + `"><a>`:                                                                 "cut off",
		`<unattend xmlns="` + spaceUnattend + `"></unattend></unattend>`:                                              "does not end",
		`<unattend xmlns="` + spaceUnattend + `"/><unattend xmlns="` + spaceUnattend + `"/>`:                          "one root",
		`<unattend/>`: "xmlns",
		`<unattend xmlns="` + spaceUnattend + `" x:y="1"/>`:      "prefix",
		`<unattend xmlns="` + spaceUnattend + `"/>trailing`:      "outside",
		`<?xml version="1.0" encoding="iso-8859-1"?><unattend/>`: "save it as UTF-8",
		"<unattend>\xff</unattend>":                              "neither UTF-8",
		"\xff\xfe<":                                              "odd number",
		"":                                                       "root",
		deep:                                                     "too large",
		wide:                                                     "too large",
		strings.Repeat(" ", MaxBytes+1):                          "too large",
		`<unattend xmlns="` + spaceUnattend + `"><?xml version="1.0"?></unattend>`: "declaration",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}

func TestPasswordsAreHiddenAsWindowsDoes(t *testing.T) {
	// "passwordPassword" and "passwordAdministratorPassword" as System Image Manager writes them.
	for element, want := range map[string]string{
		"Password":              "cABhAHMAcwB3AG8AcgBkAFAAYQBzAHMAdwBvAHIAZAA=",
		"AdministratorPassword": "cABhAHMAcwB3AG8AcgBkAEEAZABtAGkAbgBpAHMAdAByAGEAdABvAHIAUABhAHMAcwB3AG8AcgBkAA==",
	} {
		if got := encodePassword("password", element); got != want {
			t.Errorf("%s: %s, want %s", element, got, want)
		}
	}
	data, err := base64.StdEncoding.DecodeString(encodePassword("ü🔑", "Password"))
	if err != nil {
		t.Fatal(err)
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = uint16(data[2*i]) | uint16(data[2*i+1])<<8
	}
	if got := string(utf16.Decode(units)); got != "ü🔑Password" {
		t.Errorf("it opens as %q", got)
	}
}

// TestSecretsAreNeverShown looks for every secret in all that is meant to be seen.
func TestSecretsAreNeverShown(t *testing.T) {
	s := everything()
	f, changes := merged(t, read(t, "given-sim.xml"), s)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "settings", s, "domain", s.Domain, "key", s.ProductKey)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "settings", s, "domain", s.Domain, "key", s.ProductKey)
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	broken := s
	broken.ProductKey, broken.AdministratorPassword = NewSecret("wrong-"+productKey), NewSecret(strings.Repeat(adminPassword, 20))
	seen := log.String() + string(text) + fmt.Sprintf("%v %+v %#v %s %q %d", s, s, s, s.ProductKey, *s.Domain, s.AdministratorPassword) +
		fmt.Sprint(changes) + string(f.Masked()) + broken.Check().Error()
	for _, secret := range []string{adminPassword, joinPassword, productKey, strings.ToUpper(productKey), "op-password", "old-password-in-clear",
		encodePassword(adminPassword, "AdministratorPassword"), encodePassword("op-password", "Password"), "Geheim"} {
		if strings.Contains(seen, secret) {
			t.Errorf("%q is shown", secret)
		}
		if secret != productKey && secret != "old-password-in-clear" && secret != "op-password" && secret != adminPassword && secret != "Geheim" && !bytes.Contains(f.Bytes(), []byte(secret)) {
			t.Errorf("%q does not stand in the file", secret)
		}
	}
	if given, err := Parse(read(t, "given-sim.xml")); err != nil || bytes.Contains(given.Masked(), []byte("in-clear")) {
		t.Errorf("the given password is shown, %v", err)
	}
}

func TestClashesWithTheGivenFile(t *testing.T) {
	component := func(name, inner string) string {
		return `<component name="` + name + `" processorArchitecture="amd64">` + inner + `</component>`
	}
	file := func(pass Pass, inner string) []byte {
		return []byte(`<unattend xmlns="` + spaceUnattend + `"><settings pass="` + string(pass) + `">` + inner + `</settings></unattend>`)
	}
	join := func(inner string) []byte {
		return file(Specialize, component(componentJoin, "<Identification>"+inner+"</Identification>"))
	}
	account := file(OOBESystem, component(componentShell, `<UserAccounts><LocalAccounts><LocalAccount><Name>hall</Name></LocalAccount></LocalAccounts></UserAccounts>`))
	byAccount := &Domain{Name: "corp", Username: "u", Password: NewSecret("p")}
	for _, c := range []struct {
		name  string
		given []byte
		s     Settings
		field string
	}{
		{"workgroup against domain", join("<JoinDomain>corp</JoinDomain>"), Settings{Workgroup: "W"}, "Workgroup"},
		{"workgroup against blob", join("<Provisioning><AccountData>x</AccountData></Provisioning>"), Settings{Workgroup: "W"}, "Workgroup"},
		{"domain against workgroup", join("<JoinWorkgroup>W</JoinWorkgroup>"), Settings{Domain: byAccount}, "Domain"},
		{"blob against domain", join("<JoinDomain>corp</JoinDomain>"), Settings{Domain: &Domain{Blob: NewSecret("x")}}, "Domain"},
		{"domain against blob", join("<Provisioning><AccountData>x</AccountData></Provisioning>"), Settings{Domain: byAccount}, "Domain"},
		{"name of an account", account, Settings{ComputerName: "HALL"}, "ComputerName"},
		{"elements where a text belongs", join("<JoinDomain><x/></JoinDomain>"), Settings{Domain: byAccount}, "specialize Microsoft-Windows-UnattendedJoin Identification/JoinDomain"},
	} {
		f, err := Parse(c.given)
		if err != nil {
			t.Fatal(err)
		}
		c.s.Architecture = AMD64
		_, err = f.Merge(c.s)
		problems, ok := err.(tasksequence.Problems)
		if !ok || len(problems) != 1 || problems[0].Field != c.field || !bytes.Equal(f.Bytes(), c.given) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	f, err := Parse(join("<JoinDomain>old</JoinDomain>"))
	if err != nil {
		t.Fatal(err)
	}
	if changes, err := f.Merge(Settings{Architecture: AMD64, Domain: byAccount}); err != nil || changes[len(changes)-1].String() != `specialize Microsoft-Windows-UnattendedJoin Identification/JoinDomain: "corp" instead of "old"` {
		t.Errorf("%v, %v", changes, err)
	}
}

func TestGivenFilesAreWarnedOf(t *testing.T) {
	f, err := Parse([]byte(`<unattend xmlns="` + spaceUnattend + `"><settings pass="nap"/><settings pass="specialize" wasPassProcessed="true">` +
		`<component name="A" processorArchitecture="amd64"><L><C><Order>1</Order></C><C><Order>1</Order></C></L></component>` +
		`<component name="a" processorArchitecture="amd64"/><component/></settings></unattend>`))
	if err != nil {
		t.Fatal(err)
	}
	got := f.Check().Error()
	for _, want := range []string{`no pass "nap"`, "processed already", "stands there twice", "no name or no architecture", "have the place 1"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if len(f.Check().Sure()) != 0 || strings.Count(got, "\n") != 4 {
		t.Errorf("warned of\n%s", got)
	}
}

func TestVariablesBecomeSettings(t *testing.T) {
	vars := tasksequence.NewVariables()
	for name, value := range map[string]string{"architecture": "x64", "OSDComputerName": " PC-1 ", "timezone": "Europe/Vienna", "UILanguage": "de-DE",
		"KeyboardLocale": "de-DE", "AdminPassword": " blanks count ", "JoinDomain": "corp.example.com", "JoinWorkgroup": "WORKGROUP", "OU": "OU=A,DC=b",
		"DomainAdmin": "joiner", "DomainAdminPassword": "x", "FullName": "Owner", "OrgName": "Org", "ProductKey": productKey} {
		if err := vars.Set(name, tasksequence.Value{Text: value, Secret: strings.Contains(name, "Password")}); err != nil {
			t.Fatal(err)
		}
	}
	s := FromVariables(vars)
	if problems := s.Check(); len(problems) > 0 {
		t.Fatal(problems)
	}
	if s.Architecture != AMD64 || s.ComputerName != "PC-1" || s.InputLocale != "de-DE" || s.AdministratorPassword.Reveal() != " blanks count " ||
		s.Domain == nil || s.Domain.OU != "OU=A,DC=b" || s.Workgroup != "" || s.RegisteredOwner != "Owner" || s.ProductKey.Reveal() != productKey {
		t.Errorf("%+v", s)
	}
	f := New()
	if _, err := f.Merge(s); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(f.Bytes(), []byte("<TimeZone>W. Europe Standard Time</TimeZone>")) {
		t.Errorf("%s", f.Bytes())
	}
	if s := FromVariables(tasksequence.NewVariables()); s.Workgroup != "" || s.Domain != nil || len(s.Check()) != 1 {
		t.Errorf("of nothing: %v", s.Check())
	}
}

func TestZones(t *testing.T) {
	for name, want := range map[string]string{"w. europe standard time": "W. Europe Standard Time", "Europe/Berlin": "W. Europe Standard Time",
		"Europe/Paris": "Romance Standard Time", "UTC": "UTC", "Asia/Kolkata": "India Standard Time", "America/New_York": "Eastern Standard Time"} {
		if got, ok := WindowsZone(name); !ok || got != want {
			t.Errorf("%s: %s %v", name, got, ok)
		}
	}
	for name, usual := range sameZone {
		if got, ok := WindowsZone(name); !ok || !strings.EqualFold(zones[got], usual) {
			t.Errorf("%s leads to %s, which is none of Windows", name, usual)
		}
	}
	if _, ok := WindowsZone(""); ok {
		t.Error("an empty name is a zone")
	}
}
