package steps

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"slipway/tasksequence"
)

// updater is a package manager.
type updater struct {
	refresh []string
	count   []string                           // tells how many updates there are, and changes nothing
	parse   func(line string) (n int, ok bool) // the number, from a line of what count prints; nil: its exit code tells
	upgrade []string
}

var aptCount = regexp.MustCompile(`^(\d+) upgraded, (\d+) newly installed`)

// updaters are those that are known, by their programs.
func updaters() map[string]updater {
	apt := func(args ...string) []string {
		return append([]string{"apt-get", "-q", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Options::=--force-confold"}, args...)
	}
	return map[string]updater{
		"apt-get": {refresh: apt("update"), count: apt("--simulate", "dist-upgrade"), upgrade: apt("--yes", "dist-upgrade"),
			parse: func(line string) (int, bool) {
				m := aptCount.FindStringSubmatch(line)
				if m == nil {
					return 0, false
				}
				upgraded, _ := strconv.Atoi(m[1])
				added, _ := strconv.Atoi(m[2])
				return upgraded + added, true
			}},
		// dnf check-update ends with 100 when there are updates (dnf(8)).
		"dnf": {count: []string{"dnf", "-q", "check-update", "--refresh"}, upgrade: []string{"dnf", "--assumeyes", "upgrade"}},
	}
}

const dnfUpdates = 100

// installUpdates goes on until no update is left. A restart in between is asked for
// by the system itself (reboot-required) or by a new kernel.
func installUpdates(ctx context.Context, s *Step) (Outcome, error) {
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	name := "apt-get"
	if !y.has(name) {
		name = "dnf"
	}
	if !y.has(name) {
		return Outcome{}, errors.New("this system has neither apt nor dnf: its updates cannot be installed by this step")
	}
	u := updaters()[name]
	most := s.Settings.Int("MaxRounds")
	for {
		left, err := y.updatesLeft(ctx, u)
		if err != nil {
			return Outcome{}, err
		}
		if left == 0 {
			s.Log("info", "no update is left")
			return Outcome{}, s.Vars.SetSystem(updateRounds, tasksequence.Value{})
		}
		round, _ := strconv.Atoi(s.Vars.Run().Text(updateRounds))
		if round >= most {
			return Outcome{}, errors.Join(fmt.Errorf("updates are still left after %d rounds", round), s.Vars.SetSystem(updateRounds, tasksequence.Value{}))
		}
		s.Progress(-1, fmt.Sprintf("round %d: %d updates", round+1, left))
		if err := y.run(ctx, u.upgrade...); err != nil {
			return Outcome{}, err
		}
		if err := s.Vars.SetSystem(updateRounds, tasksequence.Value{Text: strconv.Itoa(round + 1)}); err != nil {
			return Outcome{}, err
		}
		if y.exists("run/reboot-required") || y.exists("var/run/reboot-required") {
			return Outcome{Restart: &Restart{Target: tasksequence.RebootDisk, Again: true, Message: "The installed updates ask for a restart."}}, nil
		}
	}
}

func (y *system) updatesLeft(ctx context.Context, u updater) (int, error) {
	if len(u.refresh) > 0 {
		if err := y.run(ctx, u.refresh...); err != nil {
			return 0, fmt.Errorf("ask for updates: %w", err)
		}
	}
	left, known := 0, false
	code, err := y.command(ctx, Command{Args: u.count, Stdout: func(line string) {
		if u.parse == nil {
			return
		}
		if n, ok := u.parse(line); ok {
			left, known = n, true
		}
	}})
	switch {
	case err != nil:
		return 0, fmt.Errorf("count the updates: %w", err)
	case u.parse == nil && code == dnfUpdates:
		return 1, nil
	case code != 0:
		return 0, fmt.Errorf("count the updates: %s ended with exit code %d", u.count[0], code)
	case u.parse != nil && !known:
		return 0, fmt.Errorf("count the updates: %s did not say how many there are", u.count[0])
	}
	return left, nil
}
