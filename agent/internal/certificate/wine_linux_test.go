package certificate

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Where Debian's package wine64 puts its programs.
const (
	wine       = "/usr/lib/wine/wine64"
	wineserver = "/usr/lib/wine/wineserver64"
)

// The tests of the machine's store, against the certificate stores of Wine. What
// Wine cannot do, keys in Windows' key storage, they leave out (store_windows_test.go).
func TestStoreUnderWine(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the Windows programs of this test are for amd64")
	}
	if _, err := os.Stat(wine); err != nil {
		t.Fatal("the package wine64 is missing: lab/deps.sh check installs it")
	}
	dir := t.TempDir()
	exe := filepath.Join(dir, "certificate.test.exe")
	run(t, append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0"), "go", "test", "-c", "-o", exe, ".")
	env := []string{"HOME=" + dir, "WINEPREFIX=" + filepath.Join(dir, "prefix"), "WINEDEBUG=-all", "PATH=" + os.Getenv("PATH")}
	t.Cleanup(func() { run(t, env, wineserver, "-k", "-w") }) // this prefix's only
	run(t, env, wine, "wineboot", "-i")
	dll := filepath.Join(dir, "prefix/drive_c/windows/system32/bcryptprimitives.dll")
	if err := os.WriteFile(dll, forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := run(t, env, wine, exe, "-test.v", "-test.run", "MachineStore")
	for _, want := range []string{"--- PASS: TestMachineStoreWithoutKey", "\nPASS"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestStoreIsOnWindowsOnly(t *testing.T) {
	_, err := Load(Options{StoreIssuer: "CA"})
	if err == nil || !strings.Contains(err.Error(), "on Windows only") {
		t.Error(err)
	}
}

// run runs a program to its end and returns what it said.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // also after the test's own end
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env, c.WaitDelay = env, time.Second // Wine's services hold on to the pipe
	out, err := c.CombinedOutput()
	if err != nil && ctx.Err() == nil && c.ProcessState != nil && c.ProcessState.Success() {
		err = nil // only the pipe was not closed
	}
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.ReplaceAll(string(out), "\r\n", "\n")
}

// forwarder is a DLL without code that hands one function on to another DLL's. Go
// needs ProcessPrng of bcryptprimitives.dll, which Wine 8 does not have. The layout
// is that of PE32+ with one section, which holds the export directory.
func forwarder(dll, function, to string) []byte {
	const (
		at   = 0x1000 // of the section in memory
		file = 0x200  // of the section in the file
	)
	put := func(b *bytes.Buffer, values ...any) {
		for _, v := range values {
			_ = binary.Write(b, binary.LittleEndian, v) // to memory
		}
	}
	const address, name, ordinal, texts = 40, 44, 48, 50 // tables of one entry behind the directory
	dllAt, functionAt := uint32(at+texts), uint32(at+texts+len(dll)+1)
	toAt := functionAt + uint32(len(function)) + 1
	var edata bytes.Buffer
	put(&edata, uint32(0), uint32(0), uint32(0), dllAt, uint32(1), uint32(1), uint32(1), uint32(at+address), uint32(at+name), uint32(at+ordinal))
	put(&edata, toAt, functionAt, uint16(0))
	edata.WriteString(dll + "\x00" + function + "\x00" + to + "\x00")

	var b bytes.Buffer
	b.WriteString("MZ")
	b.Write(make([]byte, 58))
	put(&b, uint32(0x40))
	b.WriteString("PE\x00\x00")
	put(&b, uint16(0x8664), uint16(1), [3]uint32{}, uint16(240), uint16(0x2022))                                       // x64, one section, a DLL
	put(&b, uint16(0x20b), uint16(0), uint32(0), uint32(0x200), uint32(0), uint32(0), uint32(at), uint64(0x180000000)) // PE32+
	put(&b, uint32(0x1000), uint32(0x200), uint16(6), [3]uint16{}, uint16(6), uint16(0), uint32(0))                    // alignments, versions
	put(&b, uint32(0x2000), uint32(file), uint32(0), uint16(3), uint16(0x140), uint64(1<<20), uint64(0x1000), uint64(1<<20), uint64(0x1000), uint32(0), uint32(16))
	put(&b, uint32(at), uint32(edata.Len()), [15]uint64{}) // data directories: exports only
	b.WriteString(".edata\x00\x00")
	put(&b, uint32(edata.Len()), uint32(at), uint32(0x200), uint32(file), [3]uint32{}, uint32(0x40000040))
	b.Write(make([]byte, file-b.Len()))
	b.Write(edata.Bytes())
	b.Write(make([]byte, 2*file-b.Len()))
	return b.Bytes()
}
