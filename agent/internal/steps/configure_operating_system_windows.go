package steps

import (
	"context"
	"errors"

	"slipway/tasksequence/unattend"
)

// configureOperatingSystem writes name, time zone, language and keyboard into the
// answer file of the Windows on the target disk, which Windows Setup reads at its
// first start.
func configureOperatingSystem(ctx context.Context, s *Step) (Outcome, error) {
	if inInstalledWindows(s) {
		return configureRunning(ctx, s)
	}
	if s.Settings.Bool("ImportRootCerts") {
		return Outcome{}, errors.New("ImportRootCerts cannot be done from WinPE: switch it off here, or run the step in the installed system")
	}
	y, err := openWindows(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	settings := unattend.FromVariables(s.Vars.Run())
	for name, to := range map[string]*string{"ComputerName": &settings.ComputerName, "TimeZone": &settings.TimeZone, "InputLocale": &settings.InputLocale} {
		if text := s.Settings.Text(name); text != "" {
			*to = text
		}
	}
	if text := s.Settings.Text("SystemLocale"); text != "" {
		settings.SystemLocale, settings.UserLocale = text, text
	}
	return Outcome{}, y.answers(settings, "")
}
