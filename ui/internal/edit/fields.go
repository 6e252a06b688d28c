package edit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway/tasksequence"
)

// Form is what a browser sent: the values by the names of the fields.
type Form interface {
	Get(name string) string
	Has(name string) bool
	All(name string) []string
}

// The names of a node's fields in the form, beside "set." and an option's name.
const (
	FieldName         = "name"
	FieldDescription  = "description"
	FieldTimeout      = "timeout"
	FieldRetries      = "retries"
	FieldRetryWait    = "retryWait"
	FieldSuccessCodes = "successCodes"
	FieldCondition    = "condition"
	SettingPrefix     = "set."
	ListSuffix        = ":list"   // each line is an item
	RemoveSuffix      = ":remove" // a secret is taken away
	SwitchSuffix      = ":switch" // the option is drawn as a box to tick
)

// Key is under which a draft keeps what was typed into a field of a node.
func Key(node, field string) string { return node + "/" + field }

// ApplyNode takes a node's fields from a form. What cannot be read is kept in typed
// and leaves the value as it was.
func ApplyNode(n *tasksequence.Node, d tasksequence.Definition, f Form, typed map[string]string) {
	n.Name, n.Description = line(f.Get(FieldName)), text(f.Get(FieldDescription))
	n.Disabled = !f.Has("enabled")
	n.ContinueOnError = f.Has("continueOnError")
	n.Environments = f.All("environment")
	if len(n.Environments) == 0 || len(n.Environments) == len(d.Environments) && !n.IsGroup() {
		n.Environments = nil
	}
	applyCondition(n, f, typed)
	if n.IsGroup() {
		return
	}
	number := func(name string, into *int) {
		if f.Has(name) {
			keep(typed, n.ID, name, f.Get(name), into, strconv.Atoi, "0")
		}
	}
	number(FieldTimeout, &n.Timeout)
	number(FieldRetries, &n.Retries)
	number(FieldRetryWait, &n.RetryWait)
	if f.Has(FieldSuccessCodes) {
		keep(typed, n.ID, FieldSuccessCodes, f.Get(FieldSuccessCodes), &n.SuccessCodes, integers, "")
	}
	for _, o := range d.Options {
		applySetting(n, d, o, f)
	}
	if len(n.Settings) == 0 {
		n.Settings = nil
	}
}

// keep reads a field, or keeps what was typed; empty stands for an empty field.
func keep[T any](typed map[string]string, node, field, value string, into *T, read func(string) (T, error), empty string) {
	value = strings.TrimSpace(value)
	key := Key(node, field)
	delete(typed, key)
	source := value
	if source == "" {
		source = empty
	}
	got, err := read(source)
	if err != nil {
		typed[key] = value
		return
	}
	*into = got
}

// integers reads "0, 3010"; nothing is no list.
func integers(text string) (out []int, err error) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\n' || r == '\t' || r == '\r' }) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", word)
		}
		out = append(out, n)
	}
	return out, nil
}

// applySetting takes one option from the form. A value that is the default is not
// written down: a later version of the definition may know a better one.
func applySetting(n *tasksequence.Node, d tasksequence.Definition, o tasksequence.Option, f Form) {
	name := SettingPrefix + o.Name
	secret := d.SecretSetting(n, o.Name)
	switch {
	case f.Has(name + SwitchSuffix):
		set(n, o, raw(strconv.FormatBool(f.Has(name))), secret)
		return
	case !f.Has(name):
		return
	case f.Has(name + RemoveSuffix):
		delete(n.Settings, o.Name)
		return
	}
	value := text(f.Get(name))
	if secret && value == "" && n.Settings[o.Name] != nil {
		return // a secret is never sent to the browser: an empty field leaves it
	}
	switch {
	case f.Has(name + ListSuffix):
		set(n, o, marshal(lines(value)), secret)
	case o.Type == tasksequence.TypeIntegers:
		set(n, o, integersSetting(value), secret)
	case o.Type == tasksequence.TypeLines || o.Type == tasksequence.TypeValue:
		set(n, o, marshal(value), secret)
	case o.Type == tasksequence.TypeInteger:
		value = strings.TrimSpace(value)
		if number, err := strconv.Atoi(value); err == nil && strconv.Itoa(number) == value {
			set(n, o, raw(value), secret)
			return
		}
		set(n, o, marshal(value), secret)
	default:
		set(n, o, marshal(line(value)), secret)
	}
}

func integersSetting(value string) json.RawMessage {
	if list, err := integers(value); err == nil && list != nil {
		return marshal(list)
	}
	return marshal(strings.TrimSpace(value)) // %NAME%, or what the check will name
}

func set(n *tasksequence.Node, o tasksequence.Option, value json.RawMessage, secret bool) {
	var v tasksequence.Value
	empty := json.Unmarshal(value, &v) == nil && len(v.Items()) == 0
	if string(value) == string(o.Default) && !secret || empty && len(o.Default) == 0 {
		delete(n.Settings, o.Name)
		return
	}
	if empty && o.Type != tasksequence.TypeText && o.Type != tasksequence.TypeLines && o.Type != tasksequence.TypeValue {
		delete(n.Settings, o.Name) // nothing chosen: the default
		return
	}
	if n.Settings == nil {
		n.Settings = map[string]json.RawMessage{}
	}
	n.Settings[o.Name] = value
}

// ApplySequence takes the sequence's own fields.
func ApplySequence(s *tasksequence.Sequence, f Form) {
	s.Name, s.Description = line(f.Get(FieldName)), text(f.Get(FieldDescription))
	if f.Has("architecture") {
		s.Architecture = f.Get("architecture")
	}
	names, values, lists := f.All("varName"), f.All("varValue"), f.All("varList")
	vars := map[string]tasksequence.Value{}
	for i, name := range names {
		name = strings.TrimSpace(name)
		if name == "" || i >= len(values) {
			continue
		}
		value := text(values[i])
		if slices.Contains(lists, strconv.Itoa(i)) {
			vars[name] = tasksequence.Value{List: lines(value)}
		} else {
			vars[name] = tasksequence.Value{Text: value}
		}
	}
	s.Variables = vars
	if len(vars) == 0 {
		s.Variables = nil
	}
}

// text is what was typed with the line ends of Linux; browsers send those of Windows.
func text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\uFFFD")
}

// line is what was typed into a field of one line.
func line(s string) string { return strings.TrimSpace(text(s)) }

func lines(s string) []string {
	out := []string{}
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // texts and lists of them
		return json.RawMessage(`""`)
	}
	return b
}
