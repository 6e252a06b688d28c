package installed

// Exit codes of slipway-agent start.
const (
	ExitSucceeded = 0
	ExitFailed    = 1 // the task sequence failed or was cancelled
	ExitUsage     = 2 // wrong usage or configuration: nothing was begun
	ExitRefused   = 3 // the sign-in was refused
	ExitRestart   = 4 // the computer restarts, or has to be started from the network, and the deployment goes on then
	ExitStopped   = 5 // it could not go on for now; an unfinished deployment goes on with the next start
)

// Usage is what slipway-agent start --help prints.
func Usage() string {
	return `slipway-agent start --config FILE [--unattended] [--state DIR] [--verbose]

Runs a task sequence in this installed system. FILE is JSON: Server, Installation
and CA as "slipway agent-config" prints them, Certificate for a sign-in that needs
nobody, and Variables such as TSID (the task sequence) and Passcode.

  --config FILE   the configuration` + orDefault(defaultConfig()) + `
  --unattended    ask nobody: what would need a person ends with an error.
                  So it is when standard input is no terminal.
  --state DIR     where an unfinished deployment is kept` + orDefault(defaultState()) + `
  --verbose       more lines on standard error

Exit codes: 0 succeeded, 1 failed or cancelled, 2 wrong usage or configuration,
3 sign-in refused, 4 restart pending, 5 stopped: goes on with the next start.
`
}

func orDefault(name string) string {
	if name == "" {
		return ""
	}
	return " (default " + name + ")"
}
