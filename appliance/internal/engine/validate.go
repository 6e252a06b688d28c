package engine

import (
	"errors"

	"slipway/tasksequence"
)

// ValidateDocument reports all that is wrong with a sequence document, JSON or
// YAML, one line each, without a library: the sequences and the content that it names
// are not looked for.
func ValidateDocument(text []byte) []string {
	s, err := parse(text)
	if err == nil {
		err = tasksequence.Check(s, tasksequence.BuiltinCatalogue()).Err()
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
