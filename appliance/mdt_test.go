package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/appliance/internal/api"
	"slipway/tasksequence"
)

// mdtSecrets are those of the test share, by what they are.
var mdtSecrets = planted{"a global variable": []byte("global-secret-77"), "a step's value": []byte("step-secret-88"), "the answer file's password": []byte("answer-secret-99"),
	"AdminPassword": []byte("admin-secret-11"), "DomainAdminPassword": []byte("join-secret-22"), "Bootstrap's UserPassword": []byte("boot-secret-33"),
	"a command's password": []byte("runas-secret-66"), "a comment": []byte("comment-secret")}

// TestImportOfAnMDTShare carries the share over into a running appliance, twice.
func TestImportOfAnMDTShare(t *testing.T) {
	dir := t.TempDir()
	share := filepath.Join(dir, "share")
	if out, err := exec.Command("cp", "-r", "internal/mdt/testdata/share", share).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	home := filepath.Join(dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	r := start(t, home)
	type outcome struct {
		DryRun bool      `json:"dryRun"`
		Made   []mdtMade `json:"made"`
		Report struct {
			Lines                  []struct{ File, Where, Value, Outcome, Detail string }
			Carried, Changed, Left int
		} `json:"report"`
	}
	run := func(args ...string) (o outcome) {
		t.Helper()
		text := r.must("", append([]string{"mdt", "import", share, "--json"}, args...)...)
		mdtSecrets.check(t, "the answer", []byte(text))
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	dry := run("--dry-run")
	if !dry.DryRun || len(dry.Made) != 0 || len(dry.Report.Lines) < 500 {
		t.Errorf("a dry run made %v", dry.Made)
	}
	var items api.ContentItems
	list := func() {
		t.Helper()
		items = api.ContentItems{}
		if err := json.Unmarshal([]byte(r.must("", "content", "list", "--json")), &items); err != nil {
			t.Fatal(err)
		}
	}
	if list(); len(items.Items) != 0 {
		t.Errorf("a dry run left %d items", len(items.Items))
	}

	first := run()
	references := map[string]string{}
	for _, m := range first.Made {
		if m.Error != "" || m.Reference == "" {
			t.Errorf("%+v", m)
		}
		references[m.Name] = m.Reference
	}
	list()
	if len(items.Items) != 9 {
		t.Errorf("%d items", len(items.Items))
	}
	for _, i := range items.Items {
		switch i.Name {
		case "Example Reader 24":
			if i.Versions[0].Command != "setup.exe /quiet" || strings.Join(i.Tags, ",") != "mdt,Office/Readers" {
				t.Errorf("%+v", i)
			}
		case "Windows 11 x64 - Dell Inc. - Latitude 5440":
			if i.Manufacturer != "Dell Inc." || len(i.Models) != 1 || i.Models[0] != "Latitude 5440" || i.Versions[0].Files != 2 {
				t.Errorf("%+v", i)
			}
		}
	}
	exported := r.must("", "sequence", "export", references["Windows 11 Enterprise"])
	mdtSecrets.check(t, "the exported sequence", []byte(exported))
	mdtSecrets.check(t, "the exported rules", []byte(r.must("", "sequence", "export", references["MDT rules"])))
	var s tasksequence.Sequence
	if err := json.Unmarshal([]byte(exported), &s); err != nil {
		t.Fatal(err)
	}
	if s.Status != tasksequence.InDevelopment || string(s.Steps[0].Settings["Sequence"]) != `"`+references["MDT rules"]+`"` {
		t.Errorf("status %s, runs %s", s.Status, s.Steps[0].Settings["Sequence"])
	}
	system, _, _ := strings.Cut(references["Windows 11"], ":")
	if !strings.Contains(exported, `"OperatingSystem": "`+system+`"`) && !strings.Contains(exported, `"OperatingSystem":"`+system+`"`) {
		t.Errorf("the operating system is not %s:\n%s", system, exported)
	}

	killed := filepath.Join(home, "data", "mdt-import-1") // what an end by force left
	before := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Mkdir(killed, 0o700), os.Chtimes(killed, before, before)); err != nil {
		t.Fatal(err)
	}
	second := run() // makes nothing anew
	for _, m := range second.Made {
		if m.Error != "" || m.Reference != references[m.Name] || m.Kind == "content" && m.Note != "there already" {
			t.Errorf("the second time: %+v, first %s", m, references[m.Name])
		}
	}
	list()
	for _, i := range items.Items {
		if len(i.Versions) != 1 {
			t.Errorf("%s has %d versions", i.Name, len(i.Versions))
		}
	}
	left, err := filepath.Glob(filepath.Join(home, "*", "mdt-import-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if n := mdtSecrets.checkFolder(t, home); n == 0 {
		t.Error("the data folder holds nothing")
	}
	mdtSecrets.check(t, "the report for people", []byte(r.must("", "mdt", "import", share, "--all")))

	if err := os.WriteFile(filepath.Join(share, "Applications", "Helper", "helper.exe"), []byte("newer"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, m := range run().Made {
		if m.Name == "Helper" && !strings.HasSuffix(m.Reference, ":2") {
			t.Errorf("a changed application: %+v", m)
		}
	}
	control := filepath.Join(share, "Control", "Applications.xml")
	text, err := os.ReadFile(control)
	if err == nil {
		err = os.WriteFile(control, []byte(strings.ReplaceAll(string(text), "setup.exe /quiet", "setup.exe /quiet /norestart")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range run().Made {
		if m.Name == "Example Reader 24" && !strings.HasSuffix(m.Reference, ":2") {
			t.Errorf("an application with another command line: %+v", m)
		}
	}
	if show := r.must("", "content", "show", "Example Reader 24"); !strings.Contains(show, "runs: setup.exe /quiet /norestart") {
		t.Errorf("its command line is lost:\n%s", show)
	}
}

// Lists are lists for programs also when nothing is in them.
func TestMDTImportOfAnEmptyShare(t *testing.T) {
	share := t.TempDir()
	if err := os.Mkdir(filepath.Join(share, "Control"), 0o700); err != nil {
		t.Fatal(err)
	}
	code, out, problem := command("mdt", "import", "--dry-run", "--json", share)
	for _, want := range []string{`"made": []`, `"items": []`, `"sequences": []`} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %s in %.200s%s", code, want, out, problem)
		}
	}
}

func TestMDTImportSaysWhatIsWrong(t *testing.T) {
	if code, _, problem := command("mdt", "import", "--dry-run", t.TempDir()); code != exitFailed || !strings.Contains(problem, "has no folder Control") {
		t.Errorf("exit %d, %s", code, problem)
	}
	if code, out, problem := command("mdt", "import", "--dry-run", "internal/mdt/testdata/share"); code != 0 || !strings.Contains(out, "left behind.") || strings.Contains(out, "\n  carried ") {
		t.Errorf("exit %d, %s %s", code, out, problem)
	}
}
