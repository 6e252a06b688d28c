package netboot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func imageBoot() Boot {
	return Boot{
		Target: TargetImage, Kernel: "0123abcd/vmlinuz", Initrds: []string{"0123abcd/initrd.zst", "0123abcd/firmware.img"},
		Cmdline: []string{"slipway.server=10.77.0.2:8443", "slipway.lease=" + LoaderAddress, "BOOTIF=01-" + LoaderMAC, "console=ttyS0,115200n8", "quiet"},
	}
}

// The scripts as a whole: what the loader runs, for people to read.
func TestGoldenScripts(t *testing.T) {
	for name, c := range map[string]struct {
		fw   Firmware
		boot Boot
	}{
		"image":     {UEFI, imageBoot()},
		"disk-uefi": {UEFIHTTP, Boot{Target: TargetDisk}},
		"disk-bios": {BIOS, Boot{Target: TargetDisk}},
		"message":   {UEFI, Boot{Target: TargetImage, Message: "no boot image has been built yet."}},
	} {
		got, err := renderScript(testSite, "/boot/script/525400000001?arch=x64&fw=uefi", c.fw, c.boot)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		goldenText(t, name, got)
		checkScript(t, got)
	}
	auto := autoexecScript(testSite)
	goldenText(t, "autoexec", auto)
	checkScript(t, auto)
}

func goldenText(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".ipxe")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: the script differs from the golden file\ngot\n%s\nwant\n%s", name, got, want)
	}
}

// commands are all that our scripts use; `true` for those that must not fail
// unnoticed.
var commands = map[string]bool{
	"kernel": true, "initrd": true, "boot": true, "chain": true, "sanboot": true, "ifconf": true,
	"set": false, "inc": false, "isset": false, "iseq": false, "echo": false, "sleep": false, "goto": false,
	"imgfree": false, "ifclose": false, "reboot": false, "exit": false,
}

// checkScript reads a script as iPXE does and holds what is true of each.
func checkScript(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	if lines[0] != "#!ipxe" || lines[len(lines)-1] != "" {
		t.Fatalf("not an iPXE script:\n%s", text)
	}
	labels := map[string]bool{}
	for _, l := range lines[1:] {
		if name, ok := strings.CutPrefix(l, ":"); ok {
			if labels[name] {
				t.Fatalf("label %s twice", name)
			}
			labels[name] = true
		}
	}
	for _, l := range lines[1 : len(lines)-1] {
		if strings.HasPrefix(l, ":") {
			continue
		}
		words := strings.Fields(l)
		mustCatch, known := commands[words[0]]
		if !known {
			t.Errorf("unknown command in %q", l)
		}
		if mustCatch && !strings.Contains(l, " || goto ") {
			t.Errorf("a failure of %q ends the script", l)
		}
		for i, w := range words {
			if w == "goto" && words[0] != "echo" && !labels[words[i+1]] {
				t.Errorf("%q goes nowhere", l)
			}
		}
		if strings.ContainsAny(l, "\"'`\\\t\r") || strings.Contains(l, "#") {
			t.Errorf("suspicious byte in %q", l)
		}
	}
}

// The retry loop of the image script is bounded and ends in a restart.
func TestImageScriptRetries(t *testing.T) {
	text, err := renderScript(testSite, "/x", UEFI, imageBoot())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"kernel --timeout 30000 http://10.77.0.2:8080/boot/0123abcd/vmlinuz initrd=initrd0.img initrd=initrd1.img slipway.server=10.77.0.2:8443 ",
		"initrd --timeout 30000 --name initrd0.img http://10.77.0.2:8080/boot/0123abcd/initrd.zst || goto failed",
		"ifconf -c dhcp ${adapter} || goto failed", "iseq ${round} 5 && goto giveup ||", "\nreboot\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the script lacks %q:\n%s", want, text)
		}
	}
}

func TestUnsafeIsRefused(t *testing.T) {
	change := func(f func(*Boot)) Boot { b := imageBoot(); f(&b); return b }
	for name, b := range map[string]Boot{
		"expansion":      change(func(b *Boot) { b.Cmdline = []string{"a=${uuid}"} }),
		"inner lease":    change(func(b *Boot) { b.Cmdline = []string{"a=${ip}b"} }),
		"two expansions": change(func(b *Boot) { b.Cmdline = []string{"a=${ip}${ip}"} }),
		"space":          change(func(b *Boot) { b.Cmdline = []string{"a b"} }),
		"newline":        change(func(b *Boot) { b.Cmdline = []string{"a\nreboot"} }),
		"or":             change(func(b *Boot) { b.Cmdline = []string{"||"} }),
		"and":            change(func(b *Boot) { b.Cmdline = []string{"&&"} }),
		"comment":        change(func(b *Boot) { b.Cmdline = []string{"#a"} }),
		"option":         change(func(b *Boot) { b.Cmdline = []string{"--timeout"} }),
		"backslash":      change(func(b *Boot) { b.Cmdline = []string{`a\`} }),
		"quote":          change(func(b *Boot) { b.Cmdline = []string{`a="b"`} }),
		"non-ASCII":      change(func(b *Boot) { b.Cmdline = []string{"a=ü"} }),
		"empty":          change(func(b *Boot) { b.Cmdline = []string{""} }),
		"too long":       change(func(b *Boot) { b.Cmdline = []string{strings.Repeat("a", 2000)} }),
		"kernel path":    change(func(b *Boot) { b.Kernel = "../vmlinuz" }),
		"kernel option":  change(func(b *Boot) { b.Kernel = "-x/vmlinuz" }),
		"initrd path":    change(func(b *Boot) { b.Initrds = []string{"a/b c"} }),
		"target":         {Target: "usb"},
	} {
		if text, err := renderScript(testSite, "/x", UEFI, b); !errors.Is(err, errUnsafe) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// A BIOS gets the kernel without signature; UEFI firmware, which may check one, does not.
func TestFastKernelIsForBIOS(t *testing.T) {
	b := Boot{Target: TargetImage, Kernel: "0123abcd/vmlinuz", FastKernel: "0123abcd/vmlinuz.fast", Initrds: []string{"0123abcd/initrd.zst"}}
	for fw, want := range map[Firmware]string{BIOS: b.FastKernel, UEFI: b.Kernel, UEFIHTTP: b.Kernel} {
		text, err := renderScript(testSite, "/x", fw, b)
		if err != nil || !strings.Contains(text, "/boot/"+want+" initrd=") {
			t.Errorf("%s: %v\n%s", fw, err, text)
		}
	}
	b.FastKernel = "../vmlinuz.fast"
	if _, err := renderScript(testSite, "/x", BIOS, b); !errors.Is(err, errUnsafe) {
		t.Errorf("a path that leaves the folder: %v", err)
	}
}

func TestSafeText(t *testing.T) {
	for in, want := range map[string]string{
		"no boot image has been built yet.": "no boot image has been built yet.",
		"a\nb || reboot && ${x} #c `d`":     "a b reboot x c d",
		"--help me":                         "me",
		"- - -a b":                          "b",
		"":                                  "",
		"über":                              "ber",
	} {
		if got := safeText(in); got != want {
			t.Errorf("safeText(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzScript(f *testing.F) {
	f.Add("0123abcd/vmlinuz", "0123abcd/initrd.zst", "slipway.lease="+LoaderAddress, "BOOTIF=01-"+LoaderMAC, "a message: see docs.", true)
	f.Add("a/b", "c/d", "a || reboot", "x${uuid}", "--help\n#!ipxe\nshell", false)
	f.Add("a", "b", "console=ttyS0,115200n8", "#", "goto giveup && exit", true)
	f.Fuzz(func(t *testing.T, kernel, initrd, arg1, arg2, message string, efi bool) {
		fw := BIOS
		if efi {
			fw = UEFI
		}
		plain, err := renderScript(testSite, "/x", fw, Boot{Target: TargetImage, Kernel: "k", Initrds: []string{"i"}, Cmdline: []string{"a", "b"}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := renderScript(testSite, "/x", fw, Boot{Target: TargetImage, Kernel: kernel, Initrds: []string{initrd}, Cmdline: []string{arg1, arg2}})
		switch {
		case kernel == "":
		case err == nil:
			checkScript(t, text)
			// Whatever was put in, the lines are the same but for their words.
			if strings.Count(text, "\n") != strings.Count(plain, "\n") || len(strings.Fields(text)) != len(strings.Fields(plain)) {
				t.Fatalf("the script changed its shape:\n%s", text)
			}
		case !errors.Is(err, errUnsafe):
			t.Fatal(err)
		}
		said, err := renderScript(testSite, "/x", fw, Boot{Target: TargetImage, Message: message})
		if err != nil {
			t.Fatal(err)
		}
		checkScript(t, said)
		if strings.Count(said, "\n") != 10 || strings.Count(said, "${") != 0 {
			t.Fatalf("a message changed the script's shape:\n%s", said)
		}
	})
}
