package bootimagetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// InstalledWindows describes a synthetic Windows as it is on an installation disc: an
// NTFS with what that alone can hold (rights, short names, attributes, streams,
// junctions), captured by wimlib.
type InstalledWindows struct {
	Manager string            // content of bootmgfw.efi; empty: the smallest program
	Extra   map[string]string // further files
	Without []string          // files that are left out
	Large   int               // bytes of a file that compresses to half its size
	Args    []string          // more arguments for the capture, such as --pipable
	Names   []string          // of the images; default: Windows 11 Home, Windows 11 Pro
	Arch    string            // of the description; default 9 (x64)
}

// The files whose peculiarities are looked at by tests.
const (
	LongName   = "Program Files/Common Files/A program with a long name.exe"
	ShortName  = "APROGR~1.EXE"
	Hidden     = "Windows/System32/hidden and read-only.dll"
	Streamed   = "Windows/System32/with a stream.txt"
	StreamName = "Zone.Identifier"
	Junction   = "Documents and Settings"
	Guarded    = "Windows/System32/config/SAM"
	HardLink   = "Windows/WinSxS/the same/kernel.exe"
)

// GuardedRights is the security descriptor of Guarded: owner SYSTEM, who alone has rights.
var GuardedRights = []byte{
	1, 0, 4, 0x90, 20, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0,
	1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,
	1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,
	2, 0, 28, 0, 1, 0, 0, 0, 0, 0, 20, 0, 0xff, 1, 0x1f, 0, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,
}

func (w InstalledWindows) files() map[string][]byte {
	manager := []byte(w.Manager)
	if w.Manager == "" {
		manager = WindowsProgram(MachineX64, SubsystemEFI)
	}
	files := map[string][]byte{
		"Windows/Boot/EFI/bootmgfw.efi":           manager,
		"Windows/Boot/EFI/bootmgr.efi":            []byte("another boot manager"),
		"Windows/Boot/EFI/de-DE/bootmgfw.efi.mui": []byte("texts in German"),
		"Windows/Boot/Fonts/wgl4_boot.ttf":        []byte("font one"),
		"Windows/Boot/Fonts/segmono_boot.ttf":     []byte("font two"),
		"Windows/Boot/Resources/bootres.dll":      []byte("pictures"),
		"Windows/Boot/DVD/EFI/boot.sdi":           []byte("$SDI0001 stand-in"),
		"Windows/System32/winload.efi":            WindowsProgram(MachineX64, SubsystemEFI),
		"Windows/System32/kernel.exe":             WindowsProgram(MachineX64, SubsystemConsole),
		"Windows/System32/Recovery/Winre.wim":     append([]byte(Magic), noise(3<<20)...),
		"Windows/System32/Recovery/ReAgent.xml":   []byte("<WindowsRE/>"),
		"Windows/System32/drivers/etc/hosts":      []byte("127.0.0.1 localhost\r\n"),
		"Users/Default/NTUSER.DAT":                []byte("hive"),
		"ProgramData/Microsoft/something.txt":     []byte("x"),
		LongName:                                  WindowsProgram(MachineX64, SubsystemConsole),
		Hidden:                                    []byte("hidden"),
		Streamed:                                  []byte("the unnamed stream"),
		Guarded:                                   []byte("accounts"),
	}
	if w.Large > 0 {
		files["Windows/System32/large.dll"] = noise(w.Large)
	}
	for name, content := range w.Extra {
		files[name] = []byte(content)
	}
	for _, name := range w.Without {
		delete(files, name)
	}
	return files
}

// Magic begins WIMs.
const Magic = "MSWIM\x00\x00\x00"

// WriteWIM writes it as a WIM of several images that are alike. scratch is a folder for
// what it is made of. It needs root, ntfs-3g and wimtools.
func (w InstalledWindows) WriteWIM(file, scratch string) error {
	volume, mount := filepath.Join(scratch, "source.ntfs"), filepath.Join(scratch, "source")
	if err := errors.Join(os.WriteFile(volume, nil, 0o600), os.Truncate(volume, int64(64+w.Large>>19)<<20), os.MkdirAll(mount, 0o755)); err != nil {
		return err
	}
	defer os.Remove(volume)
	if err := program("mkntfs", "--quick", "--quiet", "--force", "--partition-start", "2048", "--heads", "255", "--sectors-per-track", "63", "--sector-size", "512", volume); err != nil {
		return err
	}
	if err := program("ntfs-3g", "-o", "streams_interface=windows", volume, mount); err != nil {
		return err
	}
	err := w.fill(mount)
	if err := errors.Join(err, unix.Unmount(mount, 0)); err != nil {
		return err
	}
	names := w.Names
	if names == nil {
		names = []string{"Windows 11 Home", "Windows 11 Pro"}
	}
	arch := w.Arch
	if arch == "" {
		arch = "9"
	}
	pipable := strings.Contains(strings.Join(w.Args, " "), "--pipable")
	for i, name := range names {
		args := []string{"capture", volume, file, name, name}
		if i > 0 {
			args = []string{"append", volume, file, name, name}
		}
		if i == 0 || pipable {
			args = append(args, w.Args...)
		}
		for _, p := range []string{"ARCH=" + arch, "EDITIONID=Professional", "INSTALLATIONTYPE=Client", "VERSION/MAJOR=10", "VERSION/MINOR=0", "VERSION/BUILD=26100",
			"VERSION/SPBUILD=1742", "LANGUAGES/LANGUAGE=de-DE", "LANGUAGES/DEFAULT=de-DE"} {
			args = append(args, "--image-property=WINDOWS/"+p)
		}
		if err := program("wimlib-imagex", args...); err != nil {
			return err
		}
	}
	return nil
}

// fill makes the files on a mounted volume.
func (w InstalledWindows) fill(root string) error {
	if err := writeTree(root, w.files()); err != nil {
		return err
	}
	at := func(name string) string { return filepath.Join(root, name) }
	there := func(name string) bool { _, err := os.Lstat(at(name)); return err == nil }
	var errs []error
	set := func(name, attribute string, value []byte) {
		if there(name) {
			if err := unix.Lsetxattr(at(name), "system."+attribute, value, 0); err != nil {
				errs = append(errs, fmt.Errorf("%s of %s: %w", attribute, name, err))
			}
		}
	}
	const readOnly, hidden, system = 1, 2, 4
	errs = append(errs, os.MkdirAll(at(Junction), 0o755), os.MkdirAll(filepath.Dir(at(HardLink)), 0o755), os.Link(at("Windows/System32/kernel.exe"), at(HardLink)),
		os.WriteFile(at(Streamed)+":"+StreamName, []byte("[ZoneTransfer]\r\nZoneId=3\r\n"), 0o644))
	set(LongName, "ntfs_dos_name", []byte(ShortName))
	set(Hidden, "ntfs_attrib", binary.LittleEndian.AppendUint32(nil, readOnly|hidden|system))
	set(Guarded, "ntfs_acl", GuardedRights)
	set(Junction, "ntfs_reparse_data", junctionTo(`\??\C:\Users`, `C:\Users`))
	return errors.Join(errs...)
}

// junctionTo is the reparse point of a junction (Microsoft, [MS-FSCC] 2.1.2.5).
func junctionTo(target, shown string) []byte {
	le := binary.LittleEndian
	var names []byte
	for _, s := range []string{target, shown} {
		for _, c := range s + "\x00" {
			names = le.AppendUint16(names, uint16(c))
		}
	}
	body := le.AppendUint16(nil, 0)
	body = le.AppendUint16(body, uint16(2*len(target)))
	body = le.AppendUint16(body, uint16(2*len(target)+2))
	body = append(le.AppendUint16(body, uint16(2*len(shown))), names...)
	out := le.AppendUint32(nil, 0xa0000003)
	out = le.AppendUint16(out, uint16(len(body)))
	return append(le.AppendUint16(out, 0), body...)
}

// Describe lists an image of a WIM, or of the NTFS that a file or device holds, file by
// file: rights, short names, attributes, streams with their hashes, links, reparse
// points. Times and places in the WIM are left out. scratch is a folder of one's own.
func Describe(source string, index int, scratch string) (map[string]string, error) {
	f, err := os.Open(source)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 8)
	_, err = f.Read(head)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if s := string(head); !strings.HasPrefix(s, "MSWIM") && !strings.HasPrefix(s, "WLPWM") {
		captured := filepath.Join(scratch, "captured.wim")
		defer os.Remove(captured)
		if err := program("wimlib-imagex", "capture", source, captured, "x", "--compress=none"); err != nil {
			return nil, err
		}
		source = captured
	}
	out, err := exec.Command("wimlib-imagex", "dir", source, fmt.Sprint(index), "--detailed").Output()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", source, err)
	}
	files := map[string]string{}
	for _, part := range strings.Split(string(out), strings.Repeat("-", 76)+"\n") {
		var name string
		var kept []string
		for line := range strings.Lines(part) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch key = strings.TrimSpace(key); {
			case key == "Full Path":
				name = strings.Trim(strings.TrimSpace(value), `"`)
			case key == "" || strings.HasSuffix(key, " Time"), key == "Compressed size", key == "Offset in WIM", key == "Part Number", key == "Reference Count", key == "Flags", key == "Link Group ID":
			default:
				kept = append(kept, strings.TrimSpace(line))
			}
		}
		if name != "" {
			files[name] = strings.Join(kept, "\n")
		}
	}
	return files, nil
}
