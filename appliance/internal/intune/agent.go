package intune

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
)

// Agent is slipway-agent as a package.
type Agent struct {
	Program []byte // slipway-agent.exe
	Config  []byte // agent.json
}

// setupFile is what Intune is told to run.
const setupFile = "install.cmd"

// ID names what the package does: other bytes of program or configuration are another
// package, which Intune's detection takes for not installed.
func (a Agent) ID() string {
	h := sha256.New()
	program, config := sha256.Sum256(a.Program), sha256.Sum256(a.Config)
	h.Write(program[:])
	h.Write(config[:])
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// Write writes the package.
func (a Agent) Write(w io.Writer, random io.Reader) error {
	return Write(w, "Slipway agent", setupFile, []File{
		{"slipway-agent.exe", a.Program}, {"agent.json", a.Config},
		{setupFile, a.script(install)}, {"uninstall.cmd", a.script(uninstall)}, {"detect.ps1", a.Detect()}}, random)
}

// Detect is the detection script, for Intune's "Use a custom detection script".
func (a Agent) Detect() []byte { return a.script(detect) }

func (a Agent) script(text string) []byte {
	return []byte(strings.ReplaceAll(strings.ReplaceAll(text, "PACKAGE", a.ID()), "\n", "\r\n"))
}

// install runs the task sequence. The agent's exit codes become those that Intune knows
// by itself: 4, the computer restarts and the deployment goes on, is 1641; 5, it could
// not go on for now, is 1618, which Intune tries again. Intune's host has 32 bits:
// reg.exe is told which registry is meant.
const install = `@echo off
setlocal
"%~dp0slipway-agent.exe" start --unattended --config "%~dp0agent.json"
set CODE=%errorlevel%
if %CODE%==0 goto done
if %CODE%==4 goto done
if %CODE%==5 exit /b 1618
exit /b %CODE%
:done
reg.exe add HKLM\SOFTWARE\Slipway /v Package /t REG_SZ /d PACKAGE /f /reg:64
if errorlevel 1 exit /b 1
if %CODE%==4 exit /b 1641
exit /b 0
`

// uninstall has nothing to take away but the mark: the agent removes itself at the end.
const uninstall = `@echo off
reg.exe delete HKLM\SOFTWARE\Slipway /v Package /f /reg:64
exit /b 0
`

// detect writes a line and ends with 0 when the package was run.
const detect = `$key = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', 'Registry64').OpenSubKey('SOFTWARE\Slipway')
if ($key -and $key.GetValue('Package') -eq 'PACKAGE') { Write-Output 'PACKAGE' }
exit 0
`
