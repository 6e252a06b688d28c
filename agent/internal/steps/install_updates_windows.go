package steps

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"slipway/tasksequence"
)

// updateScript installs once what Windows Update has, by the agent of Windows Update
// ("Windows Update Agent API"), and tells in its last line how that went.
//
//go:embed install_updates.ps1
var updateScript string

// updateReport is the last line of the script.
var updateReport = regexp.MustCompile(`^slipway: left=(\d+) installed=(\d+) failed=(\d+) restart=([01])$`)

// updateRound is what one run of the script came to.
type updateRound struct {
	left, installed, failed int
	restart                 bool
}

// installUpdates goes on until no update is left, over restarts, for as many rounds as
// the step allows.
func installUpdates(ctx context.Context, s *Step) (Outcome, error) {
	if !s.Settings.Bool("Updates") && !s.Settings.Bool("Drivers") {
		return Outcome{}, errors.New("neither updates nor drivers are asked for: switch one of them on")
	}
	most := s.Settings.Int("MaxRounds")
	for {
		round, _ := strconv.Atoi(s.Vars.Run().Text(updateRounds))
		s.Progress(-1, fmt.Sprintf("round %d: looking for updates", round+1))
		did, err := updateOnce(ctx, s, round < most)
		if err != nil {
			return Outcome{}, err
		}
		if did.left == 0 && did.installed == 0 && !did.restart {
			s.Log("info", "no update is left")
			return Outcome{}, s.Vars.SetSystem(updateRounds, tasksequence.Value{})
		}
		if round >= most {
			return Outcome{}, errors.Join(fmt.Errorf("updates are still left after %d rounds", round), s.Vars.SetSystem(updateRounds, tasksequence.Value{}))
		}
		s.Log("info", fmt.Sprintf("round %d: %d installed, %d failed", round+1, did.installed, did.failed))
		if err := s.Vars.SetSystem(updateRounds, tasksequence.Value{Text: strconv.Itoa(round + 1)}); err != nil {
			return Outcome{}, err
		}
		if did.restart {
			return Outcome{Restart: &Restart{Target: tasksequence.RebootDisk, Again: true, Message: "The installed updates ask for a restart."}}, nil
		}
	}
}

// updateOnce runs the script: it installs what there is, or only looks.
func updateOnce(ctx context.Context, s *Step, installs bool) (updateRound, error) {
	file, remove, err := keepScript(s, updateScript)
	if err != nil {
		return updateRound{}, err
	}
	defer remove()
	var did *updateRound
	flag := func(on bool) string { return strconv.Itoa(b2i(on)) }
	code, err := s.Machine.Exec.Run(ctx, Command{
		Args: append(powerShellProgram(), "-File", file, "-MicrosoftUpdate", flag(s.Settings.Bool("MicrosoftUpdate")),
			"-Software", flag(s.Settings.Bool("Updates")), "-Drivers", flag(s.Settings.Bool("Drivers")), "-Install", flag(installs)),
		Stdout: func(line string) {
			m := updateReport.FindStringSubmatch(line)
			if m == nil {
				s.Log("info", line)
				return
			}
			number := func(i int) int { n, _ := strconv.Atoi(m[i]); return n }
			did = &updateRound{left: number(1), installed: number(2), failed: number(3), restart: m[4] == "1"}
		},
		Stderr: func(line string) { s.Log("warn", line) }})
	switch {
	case err != nil:
		return updateRound{}, fmt.Errorf("run the script for Windows Update: %w", err)
	case code != 0:
		return updateRound{}, fmt.Errorf("the script for Windows Update ended with exit code %d; its messages stand in the log", code)
	case did == nil:
		return updateRound{}, errors.New("the script for Windows Update ended without telling what it did")
	}
	return *did, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// keepScript keeps a PowerShell script as a file while it runs. The mark at its
// beginning lets Windows PowerShell take it for UTF-8.
func keepScript(s *Step, text string) (file string, remove func(), err error) {
	if file, err = s.Machine.Files.Temporary("script-*.ps1"); err != nil {
		return "", nil, fmt.Errorf("make a file for the script: %w", err)
	}
	remove = func() { _ = s.Machine.Files.Remove(file) }
	if err := s.Machine.Files.Write(file, []byte("\ufeff"+text)); err != nil {
		remove()
		return "", nil, fmt.Errorf("write the script: %w", err)
	}
	return file, remove, nil
}
