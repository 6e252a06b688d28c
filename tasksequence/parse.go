package tasksequence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ParseSequence reads a sequence as people write it and is strict: unknown and
// repeated members, wrong types and anything after the end are Problems, each
// with where it stands. What may be left out is filled in: format, ids of nodes
// (from their names) and status (active). The sequence's id and version stay empty
// when missing; giving them is the library's task.
func ParseSequence(text []byte) (Sequence, error) {
	if err := checkText(text, MaxSequenceBytes); err != nil {
		return Sequence{}, Problems{{Detail: err.Error()}}
	}
	if problems := checkMembers(text, sequenceShape()); len(problems) > 0 {
		return Sequence{}, newerOr(text, "the task sequence", problems)
	}
	var s Sequence
	if err := json.Unmarshal(text, &s); err != nil {
		return Sequence{}, newerOr(text, "the task sequence", locate(text, err))
	}
	if s.Format == 0 {
		s.Format = Format
	}
	if s.Status == "" {
		s.Status = Active
	}
	AssignIDs(&s)
	return s, nil
}

// ParseDocument reads a pinned document. Unknown members are left out: a newer
// appliance may have added some. A newer format is an error.
func ParseDocument(text []byte) (*Document, error) {
	if err := checkText(text, MaxDocumentBytes); err != nil {
		return nil, fmt.Errorf("read the task sequence document: %w", err)
	}
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read the task sequence document: %w", err)
	}
	if d.Format != Format || d.Sequence.Format != Format {
		return nil, fmt.Errorf("the task sequence document has format %d; this version reads format %d", max(d.Format, d.Sequence.Format), Format)
	}
	return &d, nil
}

// newerOr reports a text that a newer version wrote in place of what this version makes
// of it: unknown members are no slips there.
func newerOr(text []byte, what string, problems Problems) Problems {
	var head struct {
		Format int `json:"format"`
	}
	if json.Unmarshal(text, &head) != nil || head.Format <= Format {
		return problems
	}
	detail, remedy := unknownFormat(head.Format)
	return Problems{{Field: "format", Detail: what + ": " + detail, Remedy: remedy}}
}

// unknownFormat says what is to be done about a format that this version does not read.
func unknownFormat(format int) (detail, remedy string) {
	if format > Format {
		return fmt.Sprintf("format %d comes from a newer version of Slipway; this one reads format %d", format, Format), "Update this appliance, then import it again."
	}
	return fmt.Sprintf("format %d is not known", format), fmt.Sprintf("This version reads format %d.", Format)
}

// maxTextDepth is how deep the JSON of a document may be nested: groups, each an
// object in a list, and a condition in the innermost.
const maxTextDepth = 2*MaxDepth + 2*MaxConditionDepth + 10

func checkText(text []byte, most int) error {
	switch {
	case len(text) > most:
		return fmt.Errorf("the text is %d bytes long; at most %d are allowed", len(text), most)
	case len(bytes.TrimSpace(text)) == 0:
		return errors.New("the text is empty")
	case depthOf(text) > maxTextDepth:
		return errTooDeep
	}
	return nil
}

// jsonProblem turns an error of encoding/json into words.
func jsonProblem(err error) Problem {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return Problem{Detail: fmt.Sprintf("the text is not valid JSON at byte %d: %v", syntax.Offset, err)}
	case errors.As(err, &kind):
		return Problem{Field: kind.Field, Detail: fmt.Sprintf("%s stands where %s is expected", valueWords(kind.Value), kindWords(kind.Type.Kind().String()))}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Problem{Detail: "the text ends too early"}
	}
	return Problem{Detail: err.Error()}
}

// valueWords names what encoding/json found.
func valueWords(value string) string {
	switch {
	case value == "array":
		return "a list"
	case value == "object":
		return "an object"
	case value == "bool":
		return "true or false"
	case value == "string":
		return "a text"
	}
	return "a number"
}

// kindWords names the Go type that encoding/json expected.
func kindWords(kind string) string {
	switch kind {
	case "struct", "map":
		return "an object"
	case "slice":
		return "a list"
	case "bool":
		return "true or false"
	case "int", "int64":
		return "a whole number"
	}
	return "a text"
}
