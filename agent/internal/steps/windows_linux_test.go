package steps_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/steps"
	"slipway/agent/wire"
	"slipway/bootimages/bootimagetest"
	"slipway/tasksequence"
)

const gib = 1 << 30

// windows is a disk laid out for Windows by the step itself.
func windows(t *testing.T) *real {
	t.Helper()
	r := newReal(t, t.TempDir(), 24*gib) // a sparse file
	r.set("IsUEFI", "True")
	r.set("Architecture", "x64")
	r.set(tasksequence.VariableEnvironment, tasksequence.LinuxPE)
	r.must(r.run(tasksequence.FormatDisk, map[string]any{"Layout": "windows"}))
	return r
}

func (r *real) set(name, text string) {
	r.t.Helper()
	value := tasksequence.Value{Text: text}
	if tasksequence.IsReadOnly(name) {
		r.must(r.vars.SetSystem(name, value))
		return
	}
	r.must(r.vars.Set(name, value))
}

// windowsImage puts a synthetic Windows on the appliance, as its intake stores it, and
// returns the WIM.
func (r *real) windowsImage(item string, w bootimagetest.InstalledWindows) string {
	r.t.Helper()
	w.Args = append(w.Args, "--pipable", "--compress=XPRESS")
	file := filepath.Join(r.t.TempDir(), "install.pipable.wim")
	r.must(w.WriteWIM(file, r.t.TempDir()))
	data, err := os.ReadFile(file)
	r.must(err)
	r.item(item, "install.pipable.wim", data, func(f *wire.ContentFile) { f.Form = wire.FormPipableWIM })
	return file
}

// device is the path of the partition with a role.
func (r *real) device(role disk.Role) string {
	r.t.Helper()
	l := r.found("the layout")
	p, ok := l.Find(role)
	if !ok {
		r.t.Fatalf("no partition %s", role)
	}
	path, err := r.linux.Device(r.t.Context(), l, p.Number)
	r.must(err)
	return path
}

// on mounts a partition for f.
func (r *real) on(role disk.Role, f func(root string)) {
	r.t.Helper()
	l := r.found("the layout")
	p, _ := l.Find(role)
	root, undo, err := r.linux.MountPartition(r.t.Context(), l, p.Number)
	r.must(err)
	defer func() { r.must(undo()) }()
	f(root)
}

// placed is a steps.Agent that notes where it was placed, and what starts it.
type placed struct{ saw *[]string }

func (p placed) Place(_ context.Context, root, start string) error {
	if _, err := os.Stat(filepath.Join(root, "Windows/System32")); err != nil {
		return err
	}
	*p.saw = append(*p.saw, root, start)
	return nil
}

func (p placed) PlaceOn(ctx context.Context, start string, open steps.OpenVolume) error {
	root, undo, err := open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(p.Place(ctx, root, start), undo())
}

func (placed) Authorities() []string { return nil }

// The volume holds what the image holds, with all that only NTFS knows; the EFI system
// partition holds what bcdboot would put there; the answers are where Windows Setup
// looks. Done again, as after a power loss in the middle, the result is the same.
func TestWindowsFromLinux(t *testing.T) {
	r := windows(t)
	wim := r.windowsImage("win11", bootimagetest.InstalledWindows{Large: 8 * mib})
	want, err := bootimagetest.Describe(wim, 2, t.TempDir())
	r.must(err)
	r.set("ComputerName", "PC-42")
	r.set("AdminPassword", "very s3cret")
	settings := map[string]any{"OperatingSystem": "win11:1", "ImageName": "windows 11 PRO"}
	var esp map[string]string
	for _, what := range []string{"first", "again"} {
		if what == "again" { // what the first try left has to go, its mount too
			l := r.found("the layout")
			p, _ := l.Find(disk.RoleWindows)
			root, _, err := r.linux.MountPartition(t.Context(), l, p.Number)
			r.must(err)
			r.must(os.WriteFile(filepath.Join(root, "left.txt"), nil, 0o644))
		}
		r.must(r.run(tasksequence.ApplyOperatingSystem, settings))
		if log := strings.Join(r.log, "\n"); strings.Contains(log, "s3cret") || !strings.Contains(log, "Windows 11 Pro") {
			t.Errorf("the log:\n%s", log)
		}
		r.sameVolume(want, nil)
		esp = r.bootsWindows(esp)
	}
	if got := r.vars.Text("OSDTargetSystemDrive"); got != "C:" {
		t.Errorf("OSDTargetSystemDrive is %q", got)
	}

	r.must(r.run(tasksequence.ConfigureOperatingSystem, map[string]any{"ComputerName": "PC-43", "SystemLocale": "de-DE"}))
	r.must(r.run(tasksequence.EnableAdministratorAccount, map[string]any{"Account": "helper", "Password": "other s3cret"}))
	driver := []byte("[Version]\r\nSignature=\"$WINDOWS NT$\"\r\n")
	r.item("pack", "net/card.inf", driver, nil)
	r.must(r.run(tasksequence.InjectDriverPack, map[string]any{"DriverPack": "pack:1"}))
	r.must(r.run(tasksequence.InjectDriverPack, map[string]any{"DriverPack": "pack:1"}))
	var saw []string
	r.agent = placed{&saw}
	r.must(r.run(tasksequence.PrepareOperatingSystem, map[string]any{"AgentStart": "setup-complete"}))
	if len(saw) != 2 || saw[1] != tasksequence.StartSetupComplete {
		t.Errorf("the agent was placed at %q", saw)
	}
	r.on(disk.RoleWindows, func(root string) {
		answers := filepath.Join(root, "Windows/Panther/unattend.xml")
		text, err := os.ReadFile(answers)
		r.must(err)
		for _, want := range []string{"<ComputerName>PC-43</ComputerName>", "<Name>helper</Name>", "<SystemLocale>de-DE</SystemLocale>", `processorArchitecture="amd64"`, "pnputil.exe /add-driver"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the answer file has no %s:\n%s", want, text)
			}
		}
		if n := strings.Count(string(text), "pnputil.exe"); n != 1 {
			t.Errorf("pnputil is called %d times", n)
		}
		staged := filepath.Join(root, "ProgramData/Slipway/drivers/pack/net/card.inf")
		if got, err := os.ReadFile(staged); err != nil || !bytes.Equal(got, driver) {
			t.Errorf("the driver: %q, %v", got, err)
		}
		for _, name := range []string{answers, filepath.Join(root, "ProgramData/Slipway"), staged} {
			if sd := attribute(t, name, "ntfs_acl"); bytes.Contains(sd, everyone) || len(sd) == 0 {
				t.Errorf("%s is open to everyone: %x", name, sd)
			}
		}
	})
	r.sameVolume(want, []string{"/Windows/Panther", "/ProgramData/Slipway"})
}

// What the catalogues name is applied, and drivers and a domain join are left for Windows
// itself to take in; the blob stands in the answer file alone, which is not open to
// everyone.
func TestWindowsFromTheCloudFromLinux(t *testing.T) {
	r := windows(t)
	r.windowsImage("win11", bootimagetest.InstalledWindows{})
	r.item("pack", "net/card.inf", []byte("[Version]\r\n"), nil)
	r.item("linux", "root.tar", []byte("x"), nil)
	for name, text := range map[string]string{"ComputerName": "PC-42", "UILanguage": "de-DE", "OU": "OU=PCs"} {
		r.set(name, text)
	}
	for name, text := range map[string]string{"Make": "Dell Inc.", "MakeAlias": "Dell", "Model": "Latitude 5440", "ModelAlias": "Latitude 5440", "SystemAlias": "0C1A"} {
		r.set(name, text)
	}
	for _, definition := range []string{tasksequence.InjectDriversFromCloud, tasksequence.OfflineDomainJoin} {
		if err := r.run(definition, nil); err == nil || !strings.Contains(err.Error(), "no Windows on the target disk yet") {
			t.Errorf("%s on an empty volume: %v", definition, err)
		}
	}
	if len(r.cloud.Asked)+len(r.join.Asked) > 0 {
		t.Errorf("the appliance was asked in vain: %+v, %+v", r.cloud.Asked, r.join.Asked)
	}
	linux := wire.CloudAnswer{Content: []wire.ContentVersion{{Item: "linux", Version: 1}}}
	found := wire.CloudAnswer{Image: "windows 11 PRO", Content: []wire.ContentVersion{{Item: "win11", Version: 1}}}
	r.cloud.Answers = []wire.CloudAnswer{linux, {Detail: "The appliance fetches it", Wait: 1}, found}
	if err := r.run(tasksequence.ApplyOperatingSystemFromCloud, nil); err == nil || !strings.Contains(err.Error(), "no image of a Windows") {
		t.Errorf("a Linux: %v", err)
	}
	r.must(r.run(tasksequence.ApplyOperatingSystemFromCloud, map[string]any{"Version": "24H2"}))
	if log := strings.Join(r.log, "\n"); !strings.Contains(log, "The appliance fetches it") || !strings.Contains(log, "image 2: Windows 11 Pro") {
		t.Errorf("the log:\n%s", log)
	}
	if want := (wire.CloudQuery{OS: "Windows 11", Version: "24H2", Edition: "Professional", Architecture: "x64", LanguageCode: "de-DE"}); r.cloud.Asked[2] != want {
		t.Errorf("asked %+v", r.cloud.Asked)
	}
	r.bootsWindows(nil)

	r.cloud.Answers = []wire.CloudAnswer{{Content: []wire.ContentVersion{{Item: "pack", Version: 1, Name: "Latitude pack"}}}}
	r.must(r.run(tasksequence.InjectDriversFromCloud, map[string]any{"Version": "24H2"}))
	if q := r.cloud.Asked[3]; q.Drivers == nil || *q.Drivers != (wire.DriverQuery{Make: "Dell Inc.", MakeAlias: "Dell", Model: "Latitude 5440", ModelAlias: "Latitude 5440", SystemAlias: "0C1A"}) || q.Version != "24H2" {
		t.Errorf("asked %+v", q)
	}
	r.must(r.run(tasksequence.InjectDriversFromCloud, nil)) // none for this model
	if !strings.Contains(strings.Join(r.log, "\n"), "no driver pack for Dell Inc. Latitude 5440") {
		t.Errorf("the log: %q", r.log)
	}
	r.must(r.run(tasksequence.OfflineDomainJoin, nil))
	if strings.Contains(strings.Join(r.log, "\n"), steps.JoinBlob) || len(r.join.Asked) != 1 || r.join.Asked[0] != (wire.DomainJoinRequest{ComputerName: "PC-42", OU: "OU=PCs"}) {
		t.Errorf("asked %+v; the log: %q", r.join.Asked, r.log)
	}
	r.on(disk.RoleWindows, func(root string) {
		answers := filepath.Join(root, "Windows/Panther/unattend.xml")
		text, err := os.ReadFile(answers)
		r.must(err)
		specialize, _, _ := strings.Cut(string(text[strings.Index(string(text), `<settings pass="specialize">`):]), "</settings>")
		for _, want := range []string{"Microsoft-Windows-UnattendedJoin", "<Provisioning>", "<AccountData>" + steps.JoinBlob + "</AccountData>", "pnputil.exe /add-driver", "<ComputerName>PC-42</ComputerName>"} {
			if !strings.Contains(specialize, want) {
				t.Errorf("the specialize pass has no %s:\n%s", want, specialize)
			}
		}
		if sd := attribute(t, answers, "ntfs_acl"); bytes.Contains(sd, everyone) || len(sd) == 0 {
			t.Errorf("the answer file is open to everyone: %x", sd)
		}
		if _, err := os.Stat(filepath.Join(root, "ProgramData/Slipway/drivers/pack/net/card.inf")); err != nil {
			t.Error(err)
		}
	})
	r.set(tasksequence.VariableTargetLayout, "")
	for _, definition := range []string{tasksequence.InjectDriversFromCloud, tasksequence.OfflineDomainJoin, tasksequence.ApplyOperatingSystemFromCloud} {
		if err := r.run(definition, nil); err == nil || !strings.Contains(err.Error(), "not laid out for Windows") {
			t.Errorf("%s without a layout for Windows: %v", definition, err)
		}
	}
}

// everyone is S-1-1-0 in a security descriptor.
var everyone = []byte{1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}

func attribute(t *testing.T, name, which string) []byte {
	t.Helper()
	b := make([]byte, 64<<10)
	n, err := unix.Lgetxattr(name, "system."+which, b)
	if err != nil {
		t.Fatalf("%s of %s: %v", which, name, err)
	}
	return b[:n]
}

// sameVolume compares what wimlib reads of the volume with what the image held. more are
// folders that came along.
func (r *real) sameVolume(want map[string]string, more []string) {
	r.t.Helper()
	device := r.device(disk.RoleWindows)
	got, err := bootimagetest.Describe(device, 1, r.t.TempDir())
	r.must(err)
	more = append(more, "/Windows/Panther")
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			r.t.Errorf("%s is\n%s\nand was\n%s", name, got[name], want[name])
		}
		delete(got, name)
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if !slices.ContainsFunc(more, func(m string) bool { return name == m || strings.HasPrefix(name, m+"/") }) {
			r.t.Errorf("%s was not in the image", name)
		}
	}
	for what, text := range map[string]string{"/" + bootimagetest.LongName: bootimagetest.ShortName, "/" + bootimagetest.Hidden: "FILE_ATTRIBUTE_HIDDEN",
		"/" + bootimagetest.Streamed: bootimagetest.StreamName, "/" + bootimagetest.Junction: "REPARSE", "/" + bootimagetest.Guarded: hex.EncodeToString(bootimagetest.GuardedRights)} {
		if !strings.Contains(want[what], text) {
			r.t.Errorf("the image itself has no %s at %s:\n%s", text, what, want[what])
		}
	}
	if out, err := exec.Command("ntfsfix", "--no-action", device).CombinedOutput(); err != nil {
		r.t.Errorf("ntfsfix: %v: %s", err, out)
	}
}

// bootsWindows looks at EFI system and recovery partition, and returns the files of the
// first with their hashes; before are those that it had.
func (r *real) bootsWindows(before map[string]string) map[string]string {
	r.t.Helper()
	files := map[string]string{}
	r.must(filepath.WalkDir(r.esp, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(r.esp, name)
		sum := sha256.Sum256(b)
		files[rel] = hex.EncodeToString(sum[:])
		return err
	}))
	reg := r.tool("hivexregedit", "--export", "--prefix", "BCD", filepath.Join(r.esp, "EFI/Microsoft/Boot/BCD"), `\`)
	l := r.found("the layout")
	for _, role := range []disk.Role{disk.RoleESP, disk.RoleWindows, disk.RoleRecovery} {
		p, _ := l.Find(role)
		if !strings.Contains(strings.ReplaceAll(reg, ",", ""), mixed(p.PartUUID)) {
			r.t.Errorf("the store does not name the partition %s (%s)", role, p.PartUUID)
		}
	}
	want := []string{"EFI/BOOT/BOOTX64.EFI", "EFI/Microsoft/Boot/BCD", "EFI/Microsoft/Boot/Fonts/segmono_boot.ttf", "EFI/Microsoft/Boot/Fonts/wgl4_boot.ttf",
		"EFI/Microsoft/Boot/Resources/bootres.dll", "EFI/Microsoft/Boot/bootmgfw.efi", "EFI/Microsoft/Boot/bootmgr.efi", "EFI/Microsoft/Boot/de-DE/bootmgfw.efi.mui"}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		r.t.Errorf("the EFI system partition holds %q", got)
	}
	if files["EFI/BOOT/BOOTX64.EFI"] != files["EFI/Microsoft/Boot/bootmgfw.efi"] {
		r.t.Error("the removable path is another program")
	}
	if before != nil && !maps.Equal(before, files) {
		r.t.Errorf("the second time it holds %v, the first %v", files, before)
	}
	r.on(disk.RoleRecovery, func(root string) {
		for name, begins := range map[string]string{"Winre.wim": bootimagetest.Magic, "boot.sdi": "$SDI0001"} {
			if b, err := os.ReadFile(filepath.Join(root, "Recovery/WindowsRE", name)); err != nil || !strings.HasPrefix(string(b), begins) {
				r.t.Errorf("%s: %v", name, err)
			}
		}
	})
	entries, err := os.ReadDir(r.efi)
	r.must(err)
	if len(entries) != 2 { // Boot0000 and BootOrder
		r.t.Errorf("the firmware's variables: %v", entries)
	}
	return files
}

// mixed is a GUID as it stands in a store: the first three parts turned around.
func mixed(guid string) string {
	b, _ := hex.DecodeString(strings.ReplaceAll(guid, "-", ""))
	for _, part := range [][]byte{b[:4], b[4:6], b[6:8]} {
		slices.Reverse(part)
	}
	return hex.EncodeToString(b)
}

// What cannot become a running Windows is refused before anything on the volume is lost.
func TestWindowsThatDoesNotFit(t *testing.T) {
	r := windows(t)
	r.windowsImage("good", bootimagetest.InstalledWindows{})
	r.windowsImage("arm", bootimagetest.InstalledWindows{Arch: "12"})
	r.windowsImage("nothing", bootimagetest.InstalledWindows{Without: []string{"Windows/Boot/EFI/bootmgfw.efi"}})
	r.item("plain", "install.wim", []byte(bootimagetest.Magic+strings.Repeat("x", 400)), nil)
	cut, err := os.ReadFile(filepath.Join(r.shelf.Dir, "good/install.pipable.wim"))
	r.must(err)
	r.item("cut", "install.pipable.wim", cut[:len(cut)/2], func(f *wire.ContentFile) { f.Form = wire.FormPipableWIM })
	r.item("linux", "root.tar", []byte("x"), nil)
	mark := func() {
		r.on(disk.RoleWindows, func(root string) { r.must(os.WriteFile(filepath.Join(root, "mark.txt"), nil, 0o644)) })
	}
	mark()
	for _, c := range []struct {
		what, item, want string
		settings         map[string]any
		lost             bool
	}{
		{what: "another processor", item: "arm", want: "Windows for arm64, and this machine is x64"},
		{what: "a number that is not there", item: "good", settings: map[string]any{"ImageIndex": 7}, want: "no image number 7. There are 1 (Windows 11 Home), 2 (Windows 11 Pro)"},
		{what: "a name that is not there", item: "good", settings: map[string]any{"ImageName": "Windows 12"}, want: `no image called "Windows 12"`},
		{what: "answers that are none", item: "good", settings: map[string]any{"Unattend": "<nothing"}, want: "the option Unattend"},
		{what: "no form for pipes", item: "plain", want: "install wimtools on the appliance"},
		{what: "a Linux", item: "linux", want: "root file system of Linux, and the target disk is laid out for Windows"},
		{what: "cut short", item: "cut", want: "wimlib-imagex", lost: true},
		{what: "no boot manager", item: "nothing", want: "no boot manager", lost: true},
	} {
		settings := map[string]any{"OperatingSystem": c.item + ":1"}
		maps.Copy(settings, c.settings)
		err := r.run(tasksequence.ApplyOperatingSystem, settings)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
		if c.lost {
			continue
		}
		r.on(disk.RoleWindows, func(root string) {
			if _, err := os.Stat(filepath.Join(root, "mark.txt")); err != nil {
				t.Errorf("%s: the volume was changed: %v", c.what, err)
			}
		})
	}
	for _, definition := range []string{tasksequence.PrepareForCapture} {
		if err := r.run(definition, nil); err == nil || !strings.Contains(err.Error(), "laid out for Windows") {
			t.Errorf("%s: %v", definition, err)
		}
	}
	r.must(r.run(tasksequence.ApplyOperatingSystem, map[string]any{"OperatingSystem": "good:1"}))
	bios := r.found("the layout")
	bios.Firmware = disk.BIOS
	r.set(tasksequence.VariableTargetLayout, bios.Text())
	if err := r.run(tasksequence.ApplyOperatingSystem, map[string]any{"OperatingSystem": "good:1"}); err == nil || !strings.Contains(err.Error(), "UEFI only") {
		t.Errorf("on a BIOS machine: %v", err)
	}
}
