package steps

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"slipway/agent/wire"
)

// registerWithAutopilot reads the hardware hash and has the device registered.
func registerWithAutopilot(ctx context.Context, s *Step) (Outcome, error) {
	s.Progress(-1, "Reading the hardware hash")
	serial, hash, err := hardwareHash(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	s.Log("info", fmt.Sprintf("the device %s has a hardware hash of %d characters", serial, len(hash)))
	return register(ctx, s, wire.AutopilotRegistration{Serial: serial, HardwareHash: hash})
}

// hashScript asks the bridge between WMI and the MDM provider DevDetail, which answers
// to SYSTEM and elevated administrators of an installed Windows, not in WinPE. The hash
// has about 4,000 characters and comes in pieces, for the sake of consoles that break lines.
const hashScript = `$ErrorActionPreference = 'Stop'
$serial = (Get-CimInstance -ClassName Win32_BIOS).SerialNumber
$detail = Get-CimInstance -Namespace root/cimv2/mdm/dmmap -ClassName MDM_DevDetail_Ext01 -Filter "InstanceID='Ext' AND ParentID='./DevDetail'"
$hash = [string]$detail.DeviceHardwareData
[Console]::Out.WriteLine('serial=' + $serial)
for ($i = 0; $i -lt $hash.Length; $i += 1000) {
    [Console]::Out.WriteLine('hash=' + $hash.Substring($i, [Math]::Min(1000, $hash.Length - $i)))
}
`

// maxHash bounds what the script may print, in bytes.
const maxHash = 64 << 10

// hardwareHash asks Windows for the device's serial number and hardware hash.
func hardwareHash(ctx context.Context, s *Step) (serial, hash string, err error) {
	if _, err := exec.LookPath("powershell.exe"); err != nil {
		return "", "", errors.New("there is no PowerShell in this Windows, and the hardware hash cannot be read without")
	}
	script, err := s.Machine.Files.Temporary("hash-*.ps1")
	if err != nil {
		return "", "", fmt.Errorf("make a file for the script: %w", err)
	}
	defer func() { _ = s.Machine.Files.Remove(script) }()
	if err := s.Machine.Files.Write(script, []byte("\ufeff"+hashScript)); err != nil {
		return "", "", fmt.Errorf("write the script: %w", err)
	}
	out := &bounded{most: maxHash}
	code, err := s.Machine.Exec.Run(ctx, Command{
		Args:   []string{"powershell.exe", "-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", script},
		Output: out,
		Stderr: func(line string) { s.Log("warn", line) },
	})
	switch {
	case err != nil:
		return "", "", err
	case code != 0:
		return "", "", fmt.Errorf("the hardware hash cannot be read: PowerShell ended with exit code %d", code)
	}
	return parseHash(strings.ToValidUTF8(out.String(), "?"))
}
