package bcd

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

var (
	fixed     = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	entry     = known("{6d0a1f60-0000-4000-8000-736c69707761}")
	partition = known("00112233-4455-6677-8899-aabbccddeeff")
	disk      = known("{ffeeddcc-bbaa-9988-7766-554433221100}")
)

// export lets hivexregedit, a reader that is not ours, write a store as .reg text.
func export(t *testing.T, content []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "BCD")
	if err := os.WriteFile(p, content, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("hivexregedit", "--export", "--prefix", "BCD", p, `\`).CombinedOutput()
	if err != nil {
		t.Fatalf("hivexregedit: %v: %s", err, out)
	}
	return strings.ReplaceAll(string(out), "\r", "")
}

// reg is the .reg text of elements, each "<id> <value>".
func reg(kind uint32, g string, elements ...string) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "[BCD\\Objects\\%s]\n\n[BCD\\Objects\\%[1]s\\Description]\n\"Type\"=dword:%08x\n\n[BCD\\Objects\\%[1]s\\Elements]\n\n", g, kind)
	for _, e := range elements {
		id, v, _ := strings.Cut(e, " ")
		fmt.Fprintf(b, "[BCD\\Objects\\%s\\Elements\\%s]\n\"Element\"=%s\n\n", g, id, v)
	}
	return b.String()
}

const regHead = "Windows Registry Editor Version 5.00\n\n[BCD\\]\n\n[BCD\\Description]\n\"KeyName\"=%s\n\n[BCD\\Objects]\n\n"

func hexOf(kind int, b []byte) string {
	var parts []string
	for _, c := range b {
		parts = append(parts, fmt.Sprintf("%02x", c))
	}
	return fmt.Sprintf("hex(%d):%s", kind, strings.Join(parts, ","))
}

func wide(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

func text(s string) string    { return hexOf(1, wide(s+"\x00")) }
func list(s string) string    { return hexOf(7, wide(s+"\x00\x00")) }
func bin(s string) string     { return hexOf(3, raw(s)) }
func zeros(n int) string      { return strings.Repeat("00", n) }
func number(n byte) string    { return hexOf(3, []byte{n, 0, 0, 0, 0, 0, 0, 0}) }
func pathHex(s string) string { return hex.EncodeToString(wide(s + "\x00")) }

func raw(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// bootDevice is a boot device as Windows' own stores have it, from its type on.
var bootDevice = "05000000 00000000 48000000" + zeros(60)

func TestRAMDiskStore(t *testing.T) {
	b, err := RAMDiskBoot{Loader: entry, Description: "Slipway", WIM: `\Boot\boot.wim`, SDI: `\Boot\boot.sdi`, At: fixed}.Write()
	if err != nil {
		t.Fatal(err)
	}
	// 170 bytes for this path, as in stores that Windows made.
	ram := bin("c8dc1976fefad911b411000476eba25f 00000000 01000000 9a000000 00000000 03000000" + zeros(20) +
		"01000000 72000000 05000000" + bootDevice + pathHex(`\Boot\boot.wim`))
	if n := strings.Count(ram, ",") + 1; n != 170 {
		t.Fatalf("the expectation has %d bytes", n)
	}
	want := fmt.Sprintf(regHead, text("BCD00000001")) +
		reg(0x10200003, entry.String(), "11000001 "+ram, "12000002 "+text(`\Windows\System32\winload.efi`), "12000004 "+text("Slipway"),
			"21000001 "+ram, "22000002 "+text(`\Windows`), "26000010 "+bin("01"), "26000022 "+bin("01")) +
		reg(0x30000000, "{7619dcc8-fafe-11d9-b411-000476eba25f}", "31000003 "+bin(zeros(16)+bootDevice), "32000004 "+text(`\Boot\boot.sdi`)) +
		reg(0x10100002, "{9dea862c-5cdd-4e70-acc1-f32b344d4795}", "12000004 "+text("Windows Boot Manager"), "23000003 "+text(entry.String()),
			"24000001 "+list(entry.String()), "25000004 "+number(0))
	if got := export(t, b); strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("read back:\n%s\nwant:\n%s", got, want)
	}
	again, err := RAMDiskBoot{Loader: entry, Description: "Slipway", WIM: `\Boot\boot.wim`, SDI: `\Boot\boot.sdi`, At: fixed}.Write()
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("the same store gave other bytes (%v)", err)
	}
}

func TestRAMDiskOnBIOSAndTFTP(t *testing.T) {
	b, err := RAMDiskBoot{Firmware: BIOS, Loader: entry, Description: "Slipway", WIM: `\sources\boot.wim`, SDI: `\boot\boot.sdi`,
		TFTPBlockSize: 1456, TFTPWindowSize: 8, At: fixed}.Write()
	if err != nil {
		t.Fatal(err)
	}
	got := export(t, b)
	for _, want := range []string{"12000002]\n\"Element\"=" + text(`\Windows\System32\winload.exe`),
		"35000007]\n\"Element\"=" + bin("b005000000000000"), "35000008]\n\"Element\"=" + number(8)} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestInstalledStore(t *testing.T) {
	gpt := func(p string) string {
		return bin(zeros(16) + "06000000 00000000 48000000 00000000" + p + "00000000 00000000 ccddeeffaabb88997766554433221100" + zeros(16))
	}
	esp, windows, recovery := known("{aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa}"), partition, known("{bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb}")
	re, options := known("{cccccccc-0000-4000-8000-000000000001}"), known("{cccccccc-0000-4000-8000-000000000002}")
	b, err := Installed{System: GPT(esp, disk), Windows: GPT(windows, disk), Loader: entry, Description: "Windows 11", Locale: "en-US", Timeout: 30, At: fixed,
		Recovery: &Recovery{Partition: GPT(recovery, disk), Loader: re, Options: options, WIM: `\Recovery\WindowsRE\Winre.wim`, SDI: `\Recovery\WindowsRE\boot.sdi`}}.Write()
	if err != nil {
		t.Fatal(err)
	}
	got := export(t, b)
	object := func(g GUID, id string) string {
		return "[BCD\\Objects\\" + g.String() + "\\Elements\\" + id + "]\n\"Element\"="
	}
	recoveryGPT := "06000000 00000000 48000000 00000000" + strings.Repeat("bb", 16) + "00000000 00000000 ccddeeffaabb88997766554433221100" + zeros(16)
	path := `\Recovery\WindowsRE\Winre.wim`
	size := 12 + 72 + 2*(len(path)+1)
	ram := bin("cccccccc000000408000000000000002 00000000 01000000" + fmt.Sprintf("%02x000000", 40+size) + "00000000 03000000" + zeros(20) +
		"01000000" + fmt.Sprintf("%02x000000", size) + "05000000" + recoveryGPT + pathHex(path))
	for _, want := range []string{
		object(BootManager, "11000001") + gpt(strings.Repeat("aa", 16)),
		object(BootManager, "12000002") + text(`\EFI\Microsoft\Boot\bootmgfw.efi`),
		object(BootManager, "23000003") + text(entry.String()),
		object(BootManager, "25000004") + number(30),
		object(entry, "11000001") + gpt("33221100554477668899aabbccddeeff"),
		object(entry, "21000001") + gpt("33221100554477668899aabbccddeeff"),
		object(entry, "12000002") + text(`\Windows\System32\winload.efi`),
		object(entry, "14000008") + list(re.String()),
		object(re, "11000001") + ram,
		object(options, "31000003") + gpt(strings.Repeat("bb", 16)),
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no\n%s\nin\n%s", want, got)
		}
	}
	// Whatever is inherited must be there.
	for _, id := range []string{"7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e", "6efb52bf-1766-41db-a6b3-0ee5eff72bd7", "7ff607e0-4395-11db-b0de-0800200c9a66",
		"4636856e-540f-4170-a130-a84776f4c654", "0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9", "5189b25c-5558-4bf2-bca4-289b11bd29e2"} {
		if !strings.Contains(got, "[BCD\\Objects\\{"+id+"}]") {
			t.Errorf("no object %s", id)
		}
	}
}

func TestInstalledOnMBR(t *testing.T) {
	b, err := Installed{Firmware: BIOS, System: MBR(1<<20, 0x841cab7b), Windows: MBR(0x1f500000, 0x841cab7b), Loader: entry, Description: "Windows 10", Locale: "de-DE", At: fixed}.Write()
	if err != nil {
		t.Fatal(err)
	}
	got := export(t, b)
	want := bin(zeros(16) + "06000000 00000000 48000000 00000000 0000100000000000" + zeros(8) + "00000000 01000000 7bab1c84" + zeros(28))
	if !strings.Contains(got, "{9dea862c-5cdd-4e70-acc1-f32b344d4795}\\Elements\\11000001]\n\"Element\"="+want+"\n") {
		t.Errorf("no %s in\n%s", want, got)
	}
	if strings.Contains(got, "bootmgfw") || strings.Contains(got, hexOf(1, wide("bootmgfw"))) || !strings.Contains(got, text(`\Windows\System32\winload.exe`)) {
		t.Errorf("not as BIOS wants it:\n%s", got)
	}
}

// hivexsh accepts and edits a store: what an administrator does with bcdedit later
// must find a sound hive.
func TestAStoreCanBeEdited(t *testing.T) {
	b, err := RAMDiskBoot{Loader: entry, Description: "Slipway", WIM: `\Boot\boot.wim`, SDI: `\Boot\boot.sdi`, At: fixed}.Write()
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), "BCD")
	if err := os.WriteFile(p, b, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("hivexsh", "-w", p)
	cmd.Stdin = strings.NewReader("cd \\Objects\\" + BootManager.String() + "\\Elements\\12000004\nsetval 1\nElement\nstring:Changed\ncd ..\nadd 12000005\ncommit\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("hivexsh: %v: %s", err, out)
	}
	changed, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	if got := export(t, changed); !strings.Contains(got, text("Changed")) || !strings.Contains(got, "12000005]") {
		t.Errorf("the change is not there:\n%s", got)
	}
}

func TestMistakesAreRefused(t *testing.T) {
	good := RAMDiskBoot{Loader: entry, Description: "x", WIM: `\a`, SDI: `\b`, At: fixed}
	for name, change := range map[string]func(*RAMDiskBoot){
		"slashes":     func(b *RAMDiskBoot) { b.WIM = "/sources/boot.wim" },
		"no path":     func(b *RAMDiskBoot) { b.SDI = "" },
		"no loader":   func(b *RAMDiskBoot) { b.Loader = GUID{} },
		"taken":       func(b *RAMDiskBoot) { b.Loader = BootManager },
		"odd text":    func(b *RAMDiskBoot) { b.Description = "a\nb" },
		"window":      func(b *RAMDiskBoot) { b.TFTPWindowSize = 1 << 16 },
		"not Latin":   func(b *RAMDiskBoot) { b.WIM = `\böot.wim` },
		"long a path": func(b *RAMDiskBoot) { b.WIM = `\` + strings.Repeat("x", 300) },
	} {
		b := good
		change(&b)
		if _, err := b.Write(); !errors.Is(err, ErrStore) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := good.Write(); err != nil {
		t.Error(err)
	}
	if _, err := (Installed{Loader: entry, At: fixed}).Write(); !errors.Is(err, ErrStore) {
		t.Errorf("no partitions: %v", err)
	}
	for _, s := range []string{"", "{}", "{9dea862c-5cdd-4e70-acc1-f32b344d479}", "9dea862c5cdd4e70acc1f32b344d4795aaaa", "{9dea862c-5cdd-4e70-acc1-f32b344d479g}"} {
		if _, err := ParseGUID(s); !errors.Is(err, ErrGUID) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
