package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxDepth bounds the nesting of JSON bodies: decoding is recursive, and no call
// of ours comes near it.
const maxDepth = 64

// tooLarge is the answer to a body above the call's bound, and nil for other errors.
func tooLarge(err error) error {
	var large *http.MaxBytesError
	if !errors.As(err, &large) {
		return nil
	}
	return &Problem{Status: http.StatusRequestEntityTooLarge, Code: "too-large",
		Detail: fmt.Sprintf("The body is larger than the %d bytes this call takes.", large.Limit), Cause: err}
}

// decodeStrict reads exactly one JSON value. The size is bounded by the caller
// (http.MaxBytesReader).
func decodeStrict(body io.Reader, out any, known bool) error {
	data, err := io.ReadAll(body)
	if err != nil {
		if p := tooLarge(err); p != nil {
			return p
		}
		return badRequest("The body could not be read.", err)
	}
	if depth(data) > maxDepth {
		return badRequest(fmt.Sprintf("The body is nested deeper than %d levels.", maxDepth), nil)
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	if known {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(out); err != nil {
		return badRequest("The body is not the JSON this call takes: "+jsonDetail(err), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest("The body holds more than one JSON value.", nil)
	}
	return nil
}

// jsonDetail is what may be said of a decoding error: where, never the value.
func jsonDetail(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return "it is empty."
	case errors.As(err, &syntax):
		return fmt.Sprintf("syntax error at byte %d.", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Sprintf("%s cannot be a %s.", kind.Field, strings.Fields(kind.Value)[0])
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return "unknown field " + strings.TrimPrefix(err.Error(), "json: unknown field ") + "."
	}
	return "it ends early or is malformed."
}

// depth is the deepest nesting of brackets outside strings.
func depth(data []byte) int {
	deepest, level, inString := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case inString && b == '\\':
			i++
		case b == '"':
			inString = !inString
		case inString:
		case b == '{' || b == '[':
			level++
			deepest = max(deepest, level)
		case b == '}' || b == ']':
			level--
		}
	}
	return deepest
}
