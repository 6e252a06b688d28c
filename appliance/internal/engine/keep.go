package engine

import (
	"encoding/json"

	"slipway/appliance/internal/state"
	"slipway/tasksequence"
)

// keep puts the values of former, which is open, in the place of the masks in s: an
// export that comes back keeps its secrets. What former does not have is a problem.
func (v vault) keep(s, former tasksequence.Sequence) (tasksequence.Sequence, tasksequence.Problems) {
	type place struct{ node, definition, option string }
	had := map[place]json.RawMessage{}
	at := func(x tasksequence.Setting) place { return place{x.Node.ID, x.Node.Definition, x.Option} }
	_, _ = former.MapSettings(func(x tasksequence.Setting) (json.RawMessage, error) { // it cannot fail
		if v.secret(x) {
			had[at(x)] = x.Value
		}
		return x.Value, nil
	})
	var problems tasksequence.Problems
	report := func(x tasksequence.Setting, detail, remedy string) {
		problems = append(problems, tasksequence.Problem{Step: x.Path, Name: x.Node.Name, Field: "settings." + x.Option, Detail: detail, Remedy: remedy})
	}
	s, _ = s.MapSettings(func(x tasksequence.Setting) (json.RawMessage, error) {
		value, kept := had[at(x)]
		secret := v.catalogue().SecretSetting(x.Node, x.Option)
		switch {
		case isSealed(x.Value):
			if _, err := readSealed(x.Value); err == nil {
				report(x, "a sealed value opens only where it was sealed", "Give the value itself.")
			}
		case !tasksequence.IsMasked(x.Value):
		case secret && kept:
			return value, nil
		case secret:
			report(x, "*** stands for a secret that is not shown, and the version before has none at this step", "Give the value itself.")
		case kept:
			report(x, "*** stands for a secret that is not shown, and this setting would not be secret any more", "Give the value itself, or leave it secret.")
		}
		return x.Value, nil
	})
	return s, problems
}

// masked reports whether anything in s waits for the value of a former version.
func (v vault) masked(s tasksequence.Sequence) (found bool) {
	_, _ = s.MapSettings(func(x tasksequence.Setting) (json.RawMessage, error) {
		found = found || tasksequence.IsMasked(x.Value)
		return x.Value, nil
	})
	return found
}

// former returns the version, open, that masks of s stand for: that of the same number
// where there is one, else the highest below it; without a number the newest. It is
// empty when there is none, or when nothing in s is masked.
func (l *Library) former(tx *state.Tx, s tasksequence.Sequence) (found tasksequence.Sequence, err error) {
	if s.ID == "" || !l.vault.masked(s) {
		return found, nil
	}
	best := 0
	for record := range tx.Sequences().ByID(s.ID) {
		if record.Version <= best || s.Version != 0 && record.Version > s.Version {
			continue
		}
		if found, err = fromRecord(record); err != nil {
			return found, err
		}
		best = record.Version
	}
	return l.vault.open(found)
}

// complete fills in what masks stand for and checks the whole.
func (l *Library) complete(tx *state.Tx, s tasksequence.Sequence) (tasksequence.Sequence, error) {
	former, err := l.former(tx, s)
	if err != nil {
		return s, err
	}
	s, problems := l.vault.keep(s, former)
	if len(problems) > 0 {
		return s, problems
	}
	from, err := sourcesIn(tx, l.shelf, l.vault.mask)
	if err != nil {
		return s, err
	}
	return s, tasksequence.Validate(s, from).Err()
}
