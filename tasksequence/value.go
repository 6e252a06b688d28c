package tasksequence

import (
	"encoding/json"
	"fmt"
)

// Value is a variable's value: a text, or a list of texts.
type Value struct {
	Text   string
	List   []string // not nil for a list
	Secret bool     // masked wherever it is shown; not part of the JSON form
}

// IsList reports whether v is a list.
func (v Value) IsList() bool { return v.List != nil }

// MarshalJSON writes a string or an array of strings.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.List != nil {
		return json.Marshal(v.List)
	}
	return json.Marshal(v.Text)
}

// UnmarshalJSON reads a string or an array of strings.
func (v *Value) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err == nil {
		*v = Value{Text: text}
		return nil
	}
	list := []string{}
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("a value is a text or a list of texts: %w", err)
	}
	*v = Value{List: list}
	return nil
}
