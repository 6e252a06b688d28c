package steps

import "context"

// offlineDomainJoin puts the blob of a domain join into the answer file of the Windows on
// the target disk, which only SYSTEM and administrators can read: djoin runs on Windows
// alone.
func offlineDomainJoin(ctx context.Context, s *Step) (Outcome, error) {
	if err := needWindows(ctx, s); err != nil {
		return Outcome{}, err // before an account is made
	}
	blob, err := joinBlob(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{}, inWindows(ctx, s, func(v *windowsVolume) error {
		return v.answers(joinAnswers(s, blob), "")
	})
}
