package tasksequence

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Value is a variable's value: a text, or a list of texts.
type Value struct {
	Text   string
	List   []string // not nil for a list
	Secret bool     // masked wherever it is shown; not part of the JSON form
}

var errValue = errors.New("a value is a text, a number, true, false, or a list of these")

// IsList reports whether v is a list.
func (v Value) IsList() bool { return v.List != nil }

// String returns the text, or the list's items joined by commas. It is what
// %NAME% is replaced with; it does not mask.
func (v Value) String() string {
	if v.List != nil {
		return strings.Join(v.List, ",")
	}
	return v.Text
}

// Items returns the list, or the text as the only item; nothing for an empty text.
func (v Value) Items() []string {
	if v.List != nil {
		return slices.Clone(v.List)
	}
	if v.Text == "" {
		return nil
	}
	return []string{v.Text}
}

// Equal reports whether both hold the same, secrecy included.
func (v Value) Equal(o Value) bool {
	return v.Text == o.Text && v.Secret == o.Secret && v.IsList() == o.IsList() && slices.Equal(v.List, o.List)
}

// size is the number of bytes that count against the limits: those of the JSON
// form, in which a value travels and is kept.
func (v Value) size() int {
	text, err := v.MarshalJSON()
	if err != nil { // texts and lists of texts can always be written
		return MaxVariableBytes + 1
	}
	return len(text)
}

// empty reports whether there is nothing in v.
func (v Value) empty() bool { return v.Text == "" && len(v.List) == 0 }

// valid returns v with every byte sequence that is not UTF-8 replaced, because
// JSON could not carry it.
func (v Value) valid() Value {
	v.Text = strings.ToValidUTF8(v.Text, "\uFFFD")
	v.List = slices.Clone(v.List)
	for i := range v.List {
		v.List[i] = strings.ToValidUTF8(v.List[i], "\uFFFD")
	}
	return v
}

func (v Value) clone() Value {
	v.List = slices.Clone(v.List)
	return v
}

// MarshalJSON writes a string or an array of strings.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.List != nil {
		return json.Marshal(v.List)
	}
	return json.Marshal(v.Text)
}

// UnmarshalJSON reads a text or a list of texts. Numbers, true and false are
// taken as the text they are written as, because that is how people write them.
func (v *Value) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) > 0 && b[0] == '[' {
		var raw []json.RawMessage
		if err := json.Unmarshal(b, &raw); err != nil {
			return errValue
		}
		list := make([]string, 0, len(raw))
		for _, item := range raw {
			text, err := scalarText(item)
			if err != nil {
				return err
			}
			list = append(list, text)
		}
		*v = Value{List: list}
		return nil
	}
	text, err := scalarText(b)
	if err != nil {
		return err
	}
	*v = Value{Text: text}
	return nil
}

// scalarText returns a JSON string's content, or a number, true or false as written.
func scalarText(b []byte) (string, error) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return "", errValue
	}
	switch b[0] {
	case '"':
		var text string
		if err := json.Unmarshal(b, &text); err != nil {
			return "", errValue
		}
		return text, nil
	case '{', '[', 'n':
		return "", errValue
	}
	return string(b), nil
}
