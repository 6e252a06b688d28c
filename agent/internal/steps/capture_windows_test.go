package steps

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"slipway/agent/internal/disk"
	fakes "slipway/agent/winetest/script"
	"slipway/tasksequence"
)

// oneTarget is a disk with Windows whose partitions are folders.
type oneTarget struct {
	disk.Disks
	roots map[int]string
}

func (d oneTarget) Mount(context.Context, disk.Layout) (string, error) { return d.roots[1], nil }
func (d oneTarget) Device(_ context.Context, _ disk.Layout, number int) (string, error) {
	return d.roots[number], nil
}

// inWinPE makes the bench one of WinPE, whose target is the bench's folder.
func (b *winBench) inWinPE() {
	b.t.Helper()
	l := disk.Layout{Format: disk.LayoutFormat, Disk: "d", Firmware: disk.UEFI, Partitions: []disk.Partition{
		{Number: 1, Role: disk.RoleWindows, FS: disk.FSNTFS}, {Number: 2, Role: disk.RoleRecovery, FS: disk.FSNTFS}, {Number: 3, Role: disk.RoleESP, FS: disk.FSVFAT}}}
	b.disks = oneTarget{roots: map[int]string{1: b.root, 2: b.t.TempDir() + `\`, 3: b.t.TempDir() + `\`}}
	b.set(tasksequence.VariableTargetLayout, l.Text())
	b.set(tasksequence.VariableEnvironment, tasksequence.WinPE)
}

func TestPrepareForCaptureOnWindows(t *testing.T) {
	b := newWinBench(t)
	b.tool(`Windows\System32\Sysprep\sysprep.exe`)
	b.put(sysprepTag, "of an earlier one")
	sysprep := call("sysprep /generalize /oobe /quit /quiet")
	_, err := b.run(tasksequence.PrepareForCapture, nil, sysprep)
	b.fails(err, "sysprep did not generalize Windows", "setupact.log")
	b.put(sysprepErrors, "\xff\xfe"+wide("2026-01-01, Error SYSPRP one\r\n2026-01-01, Error SYSPRP Package App was installed for a user\r\n"))
	_, err = b.run(tasksequence.PrepareForCapture, nil, sysprep)
	b.fails(err, "Package App was installed for a user")
	b.logged("error sysprep: 2026-01-01, Error SYSPRP one")
	_, err = b.run(tasksequence.PrepareForCapture, nil, exits(sysprep, 31, ""))
	b.fails(err, "exit code 31", "Package App")
	sysprep.Make = map[string]string{b.root + sysprepTag: "x"}
	b.works(tasksequence.PrepareForCapture, nil, sysprep)
}

func wide(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		out.WriteByte(c)
		out.WriteByte(0)
	}
	return out.String()
}

// captureCalls are those of a capture up to DISM.
func captureCalls(b *winBench, dism fakes.Call) []fakes.Call {
	return []fakes.Call{
		call(`reg load HKLM\SlipwayTarget %sWindows\System32\config\SYSTEM`, b.root),
		exits(call(`reg delete HKLM\SlipwayTarget\ControlSet001\Services\SlipwayAgent /f`), 1, ""),
		call(`reg unload HKLM\SlipwayTarget`), dism}
}

func TestCaptureImageOnWindows(t *testing.T) {
	b := newWinBench(t)
	b.inWinPE()
	b.put(sysprepTag, "x")
	folder := b.root + `slipway\capture\`
	dism := fakes.Call{Program: "dism", Args: []string{"/English", "/Capture-Image", "/ImageFile:" + folder + "image.wim", "/CaptureDir:" + b.root,
		"/Name:Our Windows", "/Description:with Office", "/Compress:max", "/ConfigFile:" + folder + "wimscript.ini", "/ScratchDir:" + folder + "scratch", "/CheckIntegrity"},
		InputAt: 7, InputAfter: "/ConfigFile:", Input: `[ExclusionList]
\$ntfs.log
\hiberfil.sys
\pagefile.sys
\swapfile.sys
\System Volume Information
\$Recycle.Bin
\Windows\CSC
\slipway
\ProgramData\Slipway
\Windows\Panther\unattend.xml
\Windows\Panther\unattend
\Users\?\Downloads

[CompressionExclusionList]
*.mp3
*.zip
*.cab
\WINDOWS\inf\*.pnf`, Make: map[string]string{folder + "image.wim": "MSWIM of Windows"}}
	settings := map[string]any{"Name": "Our Windows", "Description": "with Office", "Item": "windows", "Compression": "default", "Exclude": "Users/?/Downloads\n"}
	b.works(tasksequence.CaptureImage, settings, captureCalls(b, dism)...)
	up := b.items.upload
	if up == nil || !up.done || up.gone || string(up.text) != "MSWIM of Windows" || up.asked.Item != "windows" || up.asked.File != "Our-Windows.wim" || up.asked.Key != b.key {
		t.Errorf("uploaded %+v", up)
	}
	if got := b.vars.Text(capturedVariable); got != "captured:4" {
		t.Errorf("%s is %q", capturedVariable, got)
	}
	if _, err := os.Stat(b.root + workFolder); err == nil {
		t.Error("the captured file is left on the target")
	}
	for strength, compress := range map[string]string{"fast": "fast", "best": "max"} {
		other := dism
		other.Args = slices.Clone(dism.Args)
		other.Args[6] = "/Compress:" + compress
		settings["Name"], settings["Compression"] = " Our Windows ", strength
		b.works(tasksequence.CaptureImage, settings, captureCalls(b, other)...)
	}
	settings["Compression"] = "default"
	b.items.refuse = errors.New("the appliance is full")
	_, err := b.run(tasksequence.CaptureImage, settings, captureCalls(b, dism)...)
	b.fails(err, "upload what was captured", "the appliance is full")
	if up := b.items.upload; !up.gone || up.done {
		t.Errorf("the upload was left: %+v", up)
	}
	b.items.refuse, b.items.upload = nil, nil
	calls := captureCalls(b, dism)[:3]
	calls[2] = exits(calls[2], 1, "in use\r\n")
	_, err = b.run(tasksequence.CaptureImage, settings, calls...)
	b.fails(err, "close the registry of the target", "in use")
	_, err = b.run(tasksequence.CaptureImage, settings, captureCalls(b, exits(dism, 112, "There is not enough space on the disk.\r\n"))...)
	b.fails(err, "exit code 112", "not enough space")
	if b.items.upload != nil {
		t.Error("something was uploaded")
	}
	_, err = b.run(tasksequence.CaptureImage, settings, exits(captureCalls(b, dism)[0], 1, "in use\r\n"))
	b.fails(err, "open the registry of the target", "in use")
	if err := os.Remove(b.root + sysprepTag); err != nil {
		t.Fatal(err)
	}
	b.works(tasksequence.CaptureImage, settings, captureCalls(b, dism)...)
	b.logged("warn this Windows was not generalized")
}

func TestTheRecoveryPartitionIsFilledOnWindows(t *testing.T) {
	b := newWinBench(t)
	b.inWinPE()
	b.tool(`Windows\System32\reagentc.exe`)
	recover := func(calls ...fakes.Call) {
		t.Helper()
		b.fakes.Expect(t, calls...)
		l, err := disk.ParseLayout(b.vars.Text(tasksequence.VariableTargetLayout))
		if err != nil {
			t.Fatal(err)
		}
		b.lines = nil
		s := &Step{Machine: Machine{Exec: WindowsExec{}, Disks: b.disks}, Progress: func(int, string) {},
			Log: func(level, text string) { b.lines = append(b.lines, level+" "+text) }}
		(&target{step: s, root: b.root, layout: l}).recovery(t.Context())
		b.fakes.Done(t)
	}
	recover()
	b.logged("warn the recovery partition stays empty: the applied image holds no")
	b.put(`Windows\System32\Recovery\Winre.wim`, "WinRE")
	folder := b.disks.(oneTarget).roots[2] + `Recovery\WindowsRE`
	set := call(`reagentc /setreimage /path %s /target %sWindows`, folder, b.root)
	recover(set)
	if text, err := os.ReadFile(folder + `\Winre.wim`); err != nil || string(text) != "WinRE" || len(b.lines) > 0 {
		t.Errorf("%q, %v, %q", text, err, b.lines)
	}
	recover(exits(set, 2, "REAGENTC.EXE: Operation failed\r\n"))
	b.logged("warn the recovery partition stays empty")
	if err := os.Remove(b.root + `Windows\System32\reagentc.exe`); err != nil { // WinPE's own is not meant
		t.Fatal(err)
	}
	recover()
	b.logged("warn the recovery partition stays empty")
	part := folder + `\part.wim`
	if err := copyWindowsFile(b.root+"Windows", part); err == nil {
		t.Error("a folder was copied as a file")
	}
	if _, err := os.Stat(part); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an incomplete copy is left: %v", err)
	}
	l, err := disk.ParseLayout(b.vars.Text(tasksequence.VariableTargetLayout))
	if err != nil {
		t.Fatal(err)
	}
	l.Partitions = slices.DeleteFunc(l.Partitions, func(p disk.Partition) bool { return p.Role == disk.RoleRecovery })
	b.set(tasksequence.VariableTargetLayout, l.Text())
	if recover(); len(b.lines) > 0 {
		t.Errorf("without such a partition: %q", b.lines)
	}
}
