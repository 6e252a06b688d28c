package steps

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

//go:embed configure_operating_system.ps1
var configureScript string

//go:embed enable_administrator_account.ps1
var administratorScript string

// configureRunning sets name, time zone, language and keyboard of the Windows that the
// agent runs in, and lets it trust the appliance's authorities.
func configureRunning(ctx context.Context, s *Step) (Outcome, error) {
	if s.Settings.Bool("ImportRootCerts") {
		if err := trustAuthorities(ctx, s); err != nil {
			return Outcome{}, err
		}
	}
	v := unattend.FromVariables(s.Vars.Run())
	zone, err := windowsZone(cmp.Or(s.Settings.Text("TimeZone"), v.TimeZone))
	if err != nil {
		return Outcome{}, err
	}
	locale := s.Settings.Text("SystemLocale")
	var args []string
	for _, a := range [][2]string{
		{"-ComputerName", cmp.Or(s.Settings.Text("ComputerName"), v.ComputerName)}, {"-TimeZone", zone},
		{"-SystemLocale", cmp.Or(locale, v.SystemLocale)}, {"-UserLocale", cmp.Or(locale, v.UserLocale)},
		{"-UILanguage", v.UILanguage}, {"-InputLocale", cmp.Or(s.Settings.Text("InputLocale"), v.InputLocale)},
	} {
		if a[1] != "" && a[1] != "*" { // * lets Windows Setup choose a name
			args = append(args, a[0], a[1])
		}
	}
	if len(args) == 0 {
		return Outcome{}, nil
	}
	restart, err := runWindowsScript(ctx, s, configureScript, "", args...)
	if err != nil || !restart {
		return Outcome{}, err
	}
	return Outcome{Restart: &Restart{Target: tasksequence.RebootDisk, Message: "The new name or language takes effect with a restart."}}, nil
}

func windowsZone(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	zone, ok := unattend.WindowsZone(name)
	if !ok {
		return "", fmt.Errorf("the time zone %q has no counterpart in Windows", name)
	}
	return zone, nil
}

// trustAuthorities puts the appliance's authorities among those that Windows trusts.
func trustAuthorities(ctx context.Context, s *Step) error {
	for _, authority := range s.Machine.Agent.Authorities() {
		file, err := s.Machine.Files.Temporary("authority-*.cer")
		if err != nil {
			return fmt.Errorf("make a file for the authority: %w", err)
		}
		err = s.Machine.Files.Write(file, []byte(authority))
		if err == nil {
			err = runTool(ctx, s, "trusting the appliance's authority", []int{0}, "certutil.exe", "-f", "-addstore", "Root", file)
		}
		if err = errors.Join(err, s.Machine.Files.Remove(file)); err != nil {
			return fmt.Errorf("trust the appliance's authority: %w", err)
		}
	}
	return nil
}

// enableRunningAdministrator gives an account of the running Windows its password.
func enableRunningAdministrator(ctx context.Context, s *Step) (Outcome, error) {
	password := cmp.Or(s.Settings.Text("Password"), s.Vars.Run().Text("AdminPassword"))
	if password == "" {
		return Outcome{}, errors.New("there is no password: set the variable AdminPassword, or the step's Password")
	}
	var wide []byte
	for _, unit := range utf16.Encode([]rune(password)) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	_, err := runWindowsScript(ctx, s, administratorScript, base64.StdEncoding.EncodeToString(wide)+"\r\n", "-Account", s.Settings.Text("Account"))
	return Outcome{}, err
}

// runWindowsScript runs one of our own scripts with Windows' PowerShell. It answers
// whether the script's last line asks for a restart.
func runWindowsScript(ctx context.Context, s *Step, text, stdin string, args ...string) (restart bool, err error) {
	file, remove, err := keepScript(s, text)
	if err != nil {
		return false, err
	}
	defer remove()
	last := ""
	code, err := s.Machine.Exec.Run(ctx, Command{
		Args: append(append(powerShellProgram(), "-File", file), args...), Stdin: stdin,
		Stdout: func(line string) {
			if asks, ok := strings.CutPrefix(line, "slipway: restart="); ok {
				restart = asks == "1"
				return
			}
			s.Log("info", line)
		},
		Stderr: func(line string) { last = cmp.Or(last, strings.TrimSpace(line)); s.Log("warn", line) }})
	if err != nil {
		return false, fmt.Errorf("run PowerShell: %w", err)
	}
	if code != 0 {
		return false, fmt.Errorf("PowerShell ended with exit code %d: %s", code, last)
	}
	return restart, nil
}
