package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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

// NotChecked says what of a document that ValidateDocument finds nothing wrong with only
// an appliance can see: whether its Windows PE image has what steps need there.
func NotChecked(text []byte, own ...[]byte) []string {
	catalogue, err := ownCatalogue(own)
	if err != nil {
		return []string{}
	}
	s, err := parse(text)
	if err != nil {
		return []string{}
	}
	var steps []string
	var look func(nodes []tasksequence.Node)
	look = func(nodes []tasksequence.Node) {
		for _, n := range nodes {
			d, ok := catalogue.Find(n.Definition, n.DefinitionVersion)
			if ok && len(d.Parts()) > 0 && d.RunsIn(tasksequence.WinPE, "") && (len(n.Environments) == 0 || slices.Contains(n.Environments, tasksequence.WinPE)) {
				steps = append(steps, fmt.Sprintf("%q", n.Name))
			}
			look(n.Steps)
		}
	}
	look(s.Steps)
	if len(steps) == 0 {
		return []string{}
	}
	return []string{fmt.Sprintf("whether the Windows PE image has PowerShell, which in Windows PE these steps need: %s. The appliance says so when the sequence is imported or checked there, and refuses a deployment that begins in an image without it.", strings.Join(steps, ", "))}
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
