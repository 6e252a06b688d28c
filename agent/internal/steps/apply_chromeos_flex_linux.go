package steps

import "context"

// applyChromeOSFlex puts a ChromeOS Flex image onto the disk that the settings mean.
func applyChromeOSFlex(ctx context.Context, s *Step) (Outcome, error) {
	return applyRawImage(ctx, s, "ChromeOS Flex")
}
