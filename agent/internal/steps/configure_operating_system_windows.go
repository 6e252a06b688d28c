package steps

import "context"

// configureOperatingSystem writes name, time zone, language and keyboard into the
// answer file of the Windows on the target disk, which Windows Setup reads at its
// first start.
func configureOperatingSystem(ctx context.Context, s *Step) (Outcome, error) {
	if inInstalledWindows(s) {
		return configureRunning(ctx, s)
	}
	y, err := openWindows(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	settings, err := configuredAnswers(s, y.root)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{}, y.answers(settings, "")
}
