package steps

import "context"

// applyIGELImage puts an IGEL OS image onto the disk that the settings mean.
func applyIGELImage(ctx context.Context, s *Step) (Outcome, error) {
	return applyRawImage(ctx, s, "IGEL OS")
}
