package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A rule of the house: files below Folder import nothing that Deny names, except
// what Allow names. The longest matching folder's rules all hold.
type rule struct {
	folder string
	deny   []string
	allow  []string
	tests  bool // holds for tests as well
	reason string
}

const standardOnly = "<not standard library>"

var rules = []rule{
	{folder: "fleet", deny: []string{standardOnly}, tests: true, reason: "plain types: whoever names a device must not pull in a library"},
	{folder: "tasksequence", deny: []string{standardOnly}, tests: true, reason: "the language both sides speak: it goes into every boot image"},
	{folder: "agent/wire", deny: []string{standardOnly}, tests: true, reason: "baked agents freeze the wire; nothing may change under it"},
	{folder: "images/windows", deny: []string{standardOnly}, tests: true, reason: "formats of Windows' files, which appliance and agent write alike"},
	{folder: "netboot", deny: []string{"slipway/"}, allow: []string{"slipway/netboot", "slipway/fleet", "slipway/tasksequence"}, reason: "it knows protocols and firmware, nothing of accounts or sequences"},
	{folder: "bootimages", deny: []string{"slipway/"}, allow: []string{"slipway/bootimages", "slipway/images", "slipway/fleet", "slipway/tasksequence"}, reason: "an image is a function of its inputs, not of a running appliance"},
	{folder: "images", deny: []string{"slipway/"}, allow: []string{"slipway/images/windows"}, reason: "lists, recipes and formats of files only"},
	{folder: "ui", deny: []string{"slipway/"}, allow: []string{"slipway/ui", "slipway/fleet", "slipway/tasksequence"}, reason: "the console declares the small interfaces it needs"},
	{folder: "agent", deny: []string{"slipway/"}, allow: []string{"slipway/agent", "slipway/images/windows", "slipway/images/xz", "slipway/fleet", "slipway/tasksequence"}, reason: "the device's program shares only the wire, the language and the formats of files"},
	{folder: "agent", deny: []string{"github.com/gin-gonic/", "github.com/hashicorp/"}, tests: true, reason: "the boot image stays small"},
	{folder: "lab", deny: []string{"slipway/appliance/internal", "slipway/ui", "slipway/netboot", "slipway/bootimages"}, reason: "the lab drives the product from outside, as a user does"},
	{folder: "", deny: []string{"github.com/hashicorp/raft", "github.com/hashicorp/go-memdb"}, allow: []string{"@appliance/internal/state"}, reason: "only state knows how state is kept"},
	{folder: "", deny: []string{"github.com/insomniacslk/dhcp"}, allow: []string{"@netboot", "@agent", "@lab"}, reason: "one library, one home"},
	{folder: "", deny: []string{"github.com/pin/tftp"}, allow: []string{"@netboot"}, reason: "one library, one home"},
	{folder: "", deny: []string{"github.com/diskfs/go-diskfs"}, allow: []string{"@bootimages", "@agent", "@lab"}, reason: "one library, one home"},
	{folder: "", deny: []string{"github.com/gin-gonic/gin"}, allow: []string{"@appliance/internal/api", "@ui"}, reason: "other parts hand out http.Handler"},
	{folder: "", deny: []string{"github.com/coreos/go-oidc", "golang.org/x/oauth2"}, allow: []string{"@appliance/internal/oidc", "@appliance/internal/graph"}, reason: "one library, one home: tokens of a provider are checked in one place, and the appliance is an application of its own towards Microsoft Graph only"},
	{folder: "", deny: []string{"github.com/zitadel/", "slipway/appliance/internal/oidc/oidctest", "slipway/appliance/internal/graph/graphtest"}, allow: []string{"@appliance/internal/oidc/oidctest"}, reason: "the provider of the tests is for tests"},
	{folder: "", deny: []string{"github.com/tus/"}, allow: []string{"@appliance/internal/content"}, reason: "one library, one home: other parts get an http.Handler"},
	{folder: "", deny: []string{"filippo.io/age"}, allow: []string{"@appliance/internal/backup"}, reason: "one library, one home"},
	{folder: "", deny: []string{"software.sslmate.com/src/go-pkcs12", "github.com/google/certtostore"}, allow: []string{"@agent/internal/certificate"}, reason: "one library, one home"},
	{folder: "", deny: []string{"slipway/appliance"}, allow: []string{"@appliance"}, reason: "nobody imports the appliance"},
}

// check returns why imp may not stand in a file of folder dir, or "".
func check(dir, imp string, test bool) string {
	for _, r := range rules {
		if test && !r.tests || !within(dir, r.folder) {
			continue
		}
		if denied(r, dir, imp) {
			return r.reason
		}
	}
	return ""
}

func denied(r rule, dir, imp string) bool {
	for _, a := range r.allow {
		if place, ok := strings.CutPrefix(a, "@"); ok && within(dir, place) {
			return false
		} else if !ok && within(imp, a) {
			return false
		}
	}
	for _, d := range r.deny {
		if d == standardOnly {
			first, _, _ := strings.Cut(imp, "/")
			own := within(imp, "slipway/"+r.folder)
			if (strings.Contains(first, ".") || first == "slipway") && !own {
				return true
			}
		} else if strings.HasPrefix(imp+"/", d) {
			return true
		}
	}
	return false
}

func within(path, folder string) bool {
	return folder == "" || path == folder || strings.HasPrefix(path, folder+"/")
}

// leftOut reports folders that hold no code of ours: of the build and of a running
// appliance (at the top only: below, such a name is a package), of tests, of tools.
func leftOut(rel string) bool {
	name := path.Base(rel)
	return rel != "." && (rel == "bin" || rel == "data" || name == "testdata" || name == "node_modules" || strings.HasPrefix(name, "."))
}

func TestTheFloorsHold(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", file)
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && leftOut(filepath.ToSlash(rel)) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			imp := strings.Trim(i.Path.Value, `"`)
			if why := check(filepath.ToSlash(filepath.Dir(rel)), imp, strings.HasSuffix(name, "_test.go")); why != "" {
				t.Errorf("%s imports %s: %s", rel, imp, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("only %d files were looked at; is the walk still right?", files)
	}
}

func TestWhatTheWalkLeavesOut(t *testing.T) {
	for rel, want := range map[string]bool{
		".": false, "bin": true, "data": true, ".git": true, "ui/node_modules": true, "netboot/testdata": true,
		"netboot/data": false, "agent/internal/bin": false, "appliance": false,
	} {
		if leftOut(rel) != want {
			t.Errorf("%s is left out: %v", rel, !want)
		}
	}
}

// alone reports a line of a test that mounts a device by itself, where a program of
// another test can keep it in use (slipway/lab/mounttest).
var alone = regexp.MustCompile(`(?:unix|syscall)\.Mount\((?:[^"]|"[^"]*", [^,]*, "(?:ext4|vfat)")|(?:Command|run|tool)\([^"]*"(?:mount|ntfs-3g)", `)

func TestDevicesAreMountedWhereTheyCanBeUnmounted(t *testing.T) {
	for line, want := range map[string]bool{
		`unix.Mount(device, at, "ext4", 0, "")`:                   true,
		`unix.Mount("/dev/loop0", at, "vfat", 0, "")`:             true,
		`syscall.Mount("tmpfs", at, "tmpfs", 0, "size=1m")`:       false,
		`run(t, "mount", "-o", "loop", file, at)`:                 true,
		`exec.Command("ntfs-3g", device, at)`:                     true,
		`mounttest.Mount(t, "mount", "-t", "ext4", device)`:       false,
		`{"/usr/bin/ntfs-3g", "--version"}`:                       false,
		`for what, err := range map[string]error{"mount": err} {`: false,
	} {
		if alone.MatchString(line) != want {
			t.Errorf("%s: %v", line, !want)
		}
	}
	files, lines := 0, 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel("..", file)
		if err == nil && d.IsDir() && leftOut(filepath.ToSlash(rel)) {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(file, "_test.go") || rel == "appliance/house_test.go" {
			return err
		}
		text, err := os.ReadFile(file)
		files++
		for line := range strings.Lines(string(text)) {
			if lines++; alone.MatchString(line) {
				t.Errorf("%s: by mounttest.Mount, please: %s", rel, strings.TrimSpace(line))
			}
		}
		return err
	})
	if err != nil || files < 100 {
		t.Errorf("%d files, %d lines: %v", files, lines, err)
	}
}

func TestTheRulesCanFail(t *testing.T) {
	for _, c := range []struct {
		dir, imp string
		test, ok bool
	}{
		{"fleet", "time", false, true},
		{"fleet", "golang.org/x/net/ipv4", false, false},
		{"netboot", "slipway/appliance/internal/state", false, false},
		{"netboot", "slipway/fleet", false, true},
		{"agent/internal/screen", "slipway/agent/wire", false, true},
		{"agent/internal/screen", "github.com/gin-gonic/gin", true, false},
		{"appliance/internal/engine", "github.com/hashicorp/go-memdb", false, false},
		{"appliance/internal/state", "github.com/hashicorp/raft-wal", false, true},
		{"ui/internal/view", "slipway/appliance/internal/auth", false, false},
		{"appliance", "github.com/gin-gonic/gin", false, false},
		{"bootimages/internal/cpio", "github.com/pin/tftp/v3", false, false},
		{"appliance/internal/auth", "golang.org/x/oauth2", false, false},
		{"appliance", "slipway/appliance/internal/oidc/oidctest", false, false},
		{"appliance", "slipway/appliance/internal/oidc/oidctest", true, true},
	} {
		if got := check(c.dir, c.imp, c.test) == ""; got != c.ok {
			t.Errorf("%s importing %s: allowed %v, want %v", c.dir, c.imp, got, c.ok)
		}
	}
}
