package installed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"slipway/agent/internal/durable"
)

// unitName is the service that starts the agent again while a deployment is
// unfinished.
const unitName = "slipway-agent.service"

// unitMark begins a unit file that this agent wrote and may replace and remove.
const unitMark = "# Written by slipway-agent: there while a deployment of this computer is unfinished.\n"

// errNoSystemd says that the system has another init, for which there is nothing yet.
var errNoSystemd = errors.New("this system has no systemd")

// systemd is autostart by a unit.
type systemd struct {
	folder string // of units, /etc/systemd/system
	state  string // the condition: an unfinished deployment is kept there
	runs   func() bool
	ctl    func(ctx context.Context, args ...string) error
}

func newSystemd(state string) systemd {
	return systemd{folder: "/etc/systemd/system", state: state, runs: systemdRuns,
		ctl: func(ctx context.Context, args ...string) error {
			return command(ctx, append([]string{"systemctl"}, args...)...)
		}}
}

func (s systemd) install(ctx context.Context, args []string) error {
	if !s.runs() {
		return errNoSystemd
	}
	file := filepath.Join(s.folder, unitName)
	old, err := s.ours(file)
	if err != nil {
		return err
	}
	if text := s.unit(args); text != old {
		if err := replace(file, text, 0o644); err != nil {
			return fmt.Errorf("write the service: %w", err)
		}
	}
	// The next start of the machine reads it: nothing has to be loaded again now.
	if err := s.ctl(ctx, "--no-reload", "enable", unitName); err != nil {
		return fmt.Errorf("enable the service: %w", err)
	}
	// Power may fail from here on.
	if err := durable.Folder(filepath.Join(s.folder, "multi-user.target.wants")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("enable the service: %w", err)
	}
	return nil
}

// remove ends the autostart. The agent itself may run as this service: it goes on.
func (s systemd) remove(ctx context.Context) error {
	file := filepath.Join(s.folder, unitName)
	if text, err := s.ours(file); err != nil || text == "" || !s.runs() {
		return err
	}
	err := errors.Join(s.ctl(ctx, "--no-reload", "disable", unitName), os.Remove(file), s.ctl(ctx, "daemon-reload"))
	if err != nil {
		return fmt.Errorf("remove the service: %w", err)
	}
	return nil
}

// ours reads the unit file, which is empty when there is none. Somebody else's
// is left alone.
func (s systemd) ours(file string) (string, error) {
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("the service: %w", err)
	case !strings.HasPrefix(string(text), unitMark):
		return "", fmt.Errorf("the service %s was not written by this agent and is left alone", file)
	}
	return string(text), nil
}

// unit is the service's text. It starts nothing when no deployment is unfinished:
// a unit that a power failure left behind must not begin a new one. KillMode=mixed
// lets the agent see the end of the system before its steps are killed, so that a
// step does not count as failed.
func (s systemd) unit(args []string) string {
	var quotedArgs []string
	for _, a := range args {
		quotedArgs = append(quotedArgs, unitQuote(a))
	}
	return unitMark + `[Unit]
Description=Slipway: goes on with the unfinished deployment of this computer
Wants=network-online.target
After=network-online.target
ConditionPathExists=` + strings.ReplaceAll(filepath.Join(s.state, deploymentName), "%", "%%") + `
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart=` + strings.Join(quotedArgs, " ") + `
Restart=on-failure
RestartSec=20
RestartPreventExitStatus=1 2 3 4
SuccessExitStatus=4
KillMode=mixed
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target
`
}

// unitQuote writes an argument as systemd.service(5) reads command lines.
func unitQuote(text string) string {
	text = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$", "\n", `\n`).Replace(text)
	return `"` + text + `"`
}
