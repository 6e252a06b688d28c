package bootimages

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // Windows names certificates by it
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// winpeshl is read by Windows PE's first program (Microsoft: "Winpeshl.ini
// reference"); when what it starts has ended, the machine restarts.
const winpeshl = "[LaunchApps]\r\n%SYSTEMROOT%\\System32\\cmd.exe, /d /c %SYSTEMDRIVE%\\slipway\\start.cmd\r\n"

// startCommand is the command file that starts everything: drivers first, then the
// network, then the agent, which is started again when it fails. It opens no prompt
// unless the image is for a lab: whoever stands before the machine has not signed in.
func (in *winInputs) startCommand(id string, lab bool) []byte {
	lines := []string{
		"@echo off",
		"rem Slipway boot image " + id,
		"title Slipway",
		`set "SLIPWAY=%SystemDrive%\slipway"`,
		`set "LOG=%SLIPWAY%\start.log"`,
		"echo Slipway: boot image " + id[:min(12, len(id))],
	}
	if len(in.infs) > 0 {
		lines = append(lines, "echo Slipway: loading drivers")
	}
	for _, inf := range in.infs {
		lines = append(lines, tried(`drvload "%SLIPWAY%\drivers\`+backslashes(inf)+`"`, "the driver "+backslashes(inf)+" was not loaded")...)
	}
	if len(in.roots) > 0 {
		lines = append(lines, tried(`reg import "%SLIPWAY%\roots.reg"`, "root certificates were not added")...)
	}
	lines = append(lines, in.hookLines(hookBeforeNetwork)...)
	lines = append(lines, "echo Slipway: starting the network", `wpeinit >>"%LOG%" 2>&1`)
	lines = append(lines, in.hookLines(hookAfterNetwork)...)
	lines = append(lines,
		":agent",
		`"%SLIPWAY%\slipway-agent.exe" winpe`,
		`if "%errorlevel%"=="0" exit /b 0`,
		"echo Slipway: the agent ended with %errorlevel%. It starts again in 10 seconds.")
	if lab {
		lines = append(lines, "start cmd.exe")
	}
	lines = append(lines, "ping -n 11 127.0.0.1 >nul", "goto agent")
	return []byte(strings.Join(lines, "\r\n") + "\r\n")
}

// hookLines run the hooks of a moment. One that fails is named and holds up nothing.
func (in *winInputs) hookLines(moment string) (out []string) {
	for _, name := range in.run[moment] {
		p := `"%SLIPWAY%\hooks\` + backslashes(name) + `"`
		command := map[string]string{".ps1": "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File " + p, ".exe": p}[strings.ToLower(path.Ext(name))]
		if command == "" {
			command = `cmd.exe /d /c "` + p + `"` // one of its own: it cannot end or change this one
		}
		out = append(out, tried(command, "the hook "+backslashes(name)+" failed")...)
	}
	return out
}

// tried are the lines that run a command, keep what it says, and name it when it fails.
func tried(command, failed string) []string {
	return []string{command + ` >>"%LOG%" 2>&1`, `if not "%errorlevel%"=="0" echo Slipway: ` + failed}
}

func backslashes(p string) string { return strings.ReplaceAll(p, "/", `\`) }

// readRoots reads root certificates from a file or from the files of a folder.
func (in *winInputs) readRoots(p string) error {
	if p == "" {
		return nil
	}
	names := []string{p}
	if isDir(p) {
		entries, err := os.ReadDir(p)
		if err != nil {
			return fmt.Errorf("root certificates: %w", err)
		}
		names = nil
		for _, e := range entries {
			name := filepath.Join(p, e.Name())
			info, err := os.Stat(name) // folders of certificates are often folders of links
			if err != nil {
				return fmt.Errorf("root certificates: %w", err)
			}
			if info.Mode().IsRegular() {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("root certificates: %w", err)
		}
		found, err := certificates(raw)
		if err != nil {
			return fmt.Errorf("%w: root certificates: %s: %w", ErrOption, name, err)
		}
		in.roots = append(in.roots, found...)
	}
	slices.SortFunc(in.roots, bytes.Compare)
	in.roots = slices.CompactFunc(in.roots, bytes.Equal)
	if len(in.roots) == 0 {
		return fmt.Errorf("%w: root certificates: %s holds none", ErrOption, p)
	}
	return nil
}

// certificates reads PEM or one DER certificate. Anything else in it is an error:
// the image is public.
func certificates(raw []byte) (out [][]byte, err error) {
	if !bytes.Contains(raw, []byte("-----BEGIN")) {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, err
		}
		return [][]byte{c.Raw}, nil
	}
	for rest := raw; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return out, nil
		}
		if b.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it holds a %s", b.Type)
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c.Raw)
	}
}

// rootsFile is a file for `reg import` that enters certificates in the machine's root
// store. Windows keeps a certificate as properties, each with id, 1, length
// ([MS-GPEF] 2.2.1.2.3 names the form): here its SHA-1 (3) and itself (32).
func rootsFile(roots [][]byte) []byte {
	var b strings.Builder
	b.WriteString("Windows Registry Editor Version 5.00\r\n")
	for _, der := range roots {
		sum := sha1.Sum(der) //nolint:gosec // see above
		var blob []byte
		for _, p := range []struct {
			id      uint32
			content []byte
		}{{3, sum[:]}, {32, der}} {
			blob = binary.LittleEndian.AppendUint32(blob, p.id)
			blob = binary.LittleEndian.AppendUint32(blob, 1)
			blob = append(binary.LittleEndian.AppendUint32(blob, uint32(len(p.content))), p.content...)
		}
		fmt.Fprintf(&b, "\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SystemCertificates\\ROOT\\Certificates\\%s]\r\n\"Blob\"=hex:", strings.ToUpper(hex.EncodeToString(sum[:])))
		for i, c := range blob {
			switch {
			case i == 0:
			case i%25 == 0:
				b.WriteString(",\\\r\n  ")
			default:
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%02x", c)
		}
		b.WriteString("\r\n")
	}
	return []byte(b.String())
}
