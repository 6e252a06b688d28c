package installed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// member is one key of a JSON object with its value.
type member struct {
	name  string
	value json.RawMessage
}

// members splits a JSON object without losing keys that stand in it twice, which
// are an error here: whoever wrote them means something else than one of them.
// where names the object in errors ("" for the whole file).
func members(text []byte, where string) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil {
		return nil, position(text, err)
	} else if t != json.Delim('{') {
		return nil, fmt.Errorf("%s is to be an object: {\"name\": value, ...}", orFile(where))
	}
	var list []member
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, position(text, err)
		}
		m := member{name: t.(string)} // a key is always a string: the decoder sees to that
		if err := d.Decode(&m.value); err != nil {
			return nil, position(text, err)
		}
		if seen[strings.ToLower(m.name)] {
			return nil, fmt.Errorf("%s stands there twice", at(where, m.name))
		}
		seen[strings.ToLower(m.name)] = true
		list = append(list, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, position(text, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows after the last }")
	}
	return list, nil
}

// fields gives each member of an object to the function that its key stands
// for, in any letter case.
func fields(text []byte, where string, known map[string]func(value []byte, where string) error) error {
	list, err := members(text, where)
	if err != nil {
		return err
	}
	for _, m := range list {
		take := lookup(known, m.name)
		if take == nil {
			return fmt.Errorf("%s is not known", at(where, m.name))
		}
		if err := take(m.value, at(where, m.name)); err != nil {
			return err
		}
	}
	return nil
}

func lookup[T any](known map[string]T, name string) (found T) {
	for k, v := range known {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return found
}

// text returns a function that takes a JSON string into to.
func text(to *string) func(value []byte, where string) error {
	return func(value []byte, where string) error {
		var s *string
		if json.Unmarshal(value, &s) != nil || s == nil {
			return fmt.Errorf("%s is to be a text in quotes", where)
		}
		*to = *s
		return nil
	}
}

// boolean returns a function that takes true or false into to.
func boolean(to *bool) func(value []byte, where string) error {
	return func(value []byte, where string) error {
		var b *bool
		if json.Unmarshal(value, &b) != nil || b == nil {
			return fmt.Errorf("%s is to be true or false, without quotes", where)
		}
		*to = *b
		return nil
	}
}

// position adds the line to what the JSON decoder says.
func position(text []byte, err error) error {
	offset := int64(len(text))
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = min(syntax.Offset, offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends in the middle")
	}
	return fmt.Errorf("line %d: %w", bytes.Count(text[:offset], []byte("\n"))+1, err)
}

func at(where, name string) string {
	if where == "" {
		return quoted(name)
	}
	return where + "." + quoted(name)
}

// quoted keeps plain names as they are and makes others harmless to print.
func quoted(name string) string {
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.", r)) {
			return fmt.Sprintf("%.60q", name)
		}
	}
	return name[:min(len(name), 60)]
}

func orFile(where string) string {
	if where == "" {
		return "the file"
	}
	return where
}
