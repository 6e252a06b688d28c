package engine

import (
	"errors"

	"slipway/tasksequence"
)

// ValidateDocument reports all that is wrong with a sequence document, JSON or
// YAML, one line each, without a library: the sequences and the content that it names
// are not looked for. own are the documents of step definitions that it uses beside
// the built-in ones; a version of 0 in them counts as 1.
func ValidateDocument(text []byte, own ...[]byte) []string {
	catalogue, err := ownCatalogue(own)
	if err == nil {
		var s tasksequence.Sequence
		if s, err = parse(text); err == nil {
			err = tasksequence.Check(s, catalogue).Err()
		}
	}
	var problems tasksequence.Problems
	switch {
	case err == nil:
		return []string{}
	case !errors.As(err, &problems):
		return []string{err.Error()}
	}
	lines := make([]string, 0, len(problems))
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return lines
}

func ownCatalogue(own [][]byte) (*tasksequence.Catalogue, error) {
	var definitions []tasksequence.Definition
	for _, text := range own {
		text, err := asJSON(text)
		if err != nil {
			return nil, err
		}
		d, err := tasksequence.ParseDefinition(text)
		if err == nil {
			err = d.CheckOwn().Err()
		}
		if err != nil {
			return nil, err
		}
		d.Version = max(d.Version, 1)
		definitions = append(definitions, d)
	}
	return tasksequence.BuiltinCatalogue().With(definitions...)
}
