package tasksequence

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Settings are a step's settings after %NAME% was replaced, defaults filled in
// and every value checked against its option: the getters cannot fail.
type Settings struct{ values map[string]Value }

// Text returns a setting as text, empty when it is not set.
func (s Settings) Text(name string) string { return s.values[name].String() }

// Value returns a setting as a value.
func (s Settings) Value(name string) Value { return s.values[name].clone() }

// Bool returns a boolean setting.
func (s Settings) Bool(name string) bool { return s.values[name].Text == "true" }

// Int returns an integer setting.
func (s Settings) Int(name string) int {
	n, _ := strconv.Atoi(s.values[name].Text)
	return n
}

// Content returns a content setting; false when it is not set.
func (s Settings) Content(name string) (Reference, bool) {
	r, err := ParseReference(s.values[name].Text)
	return r, err == nil
}

// Ints returns a setting that is a list of integers.
func (s Settings) Ints(name string) []int {
	var numbers []int
	for _, item := range s.values[name].Items() {
		n, _ := strconv.Atoi(item)
		numbers = append(numbers, n)
	}
	return numbers
}

// Private returns the settings as the step's private values, for Variables.Scope.
func (s Settings) Private() map[string]Value {
	private := make(map[string]Value, len(s.values))
	for name, value := range s.values {
		private[name] = value.clone()
	}
	return private
}

// resolve fills in variables and defaults and checks the outcome.
func resolve(d Definition, n *Node, vars *Variables) (Settings, error) {
	settings := Settings{values: make(map[string]Value, len(d.Options))}
	for _, o := range d.Options {
		value, set, err := settingOf(o, n)
		if err != nil {
			return Settings{}, fmt.Errorf("%s: %w", o.Name, err)
		}
		if set {
			if value, err = fillIn(o, value, vars); err != nil {
				return Settings{}, fmt.Errorf("%s: %w", o.Name, err)
			}
		}
		if !set {
			continue
		}
		if o.Required && value.empty() {
			return Settings{}, fmt.Errorf("%s: a value is needed", o.Name)
		}
		value.Secret = value.Secret || d.secret(o, n)
		if value.hidden() { // in a dry run
			settings.values[o.Name] = value
			continue
		}
		if folded := strings.ToLower(value.Text); o.Type == TypeBoolean && !value.IsList() && isBool(folded) {
			value.Text = folded // facts are True or False
		}
		if err := o.check(value); err != nil {
			return Settings{}, fmt.Errorf("%s: %w", o.Name, err)
		}
		settings.values[o.Name] = value
	}
	return settings, nil
}

// settingOf returns the setting as written, or the option's default.
func settingOf(o Option, n *Node) (value Value, set bool, err error) {
	text, given := n.Settings[o.Name]
	if !given {
		text = o.Default
	}
	if len(text) == 0 {
		if o.Required {
			return Value{}, false, errors.New("a value is needed")
		}
		return Value{}, false, nil
	}
	if err := json.Unmarshal(text, &value); err != nil {
		return Value{}, false, err
	}
	return value, true, nil
}

func fillIn(o Option, value Value, vars *Variables) (Value, error) {
	if o.Type == TypeVariable || o.Type == TypeSequence || o.Type == TypeContent {
		return value, nil
	}
	if name, sole := soleReference(value.Text); sole && !value.IsList() && (o.Type == TypeValue || o.Type == TypeIntegers) {
		if other, exists := vars.Get(name); exists {
			return other, nil
		}
	}
	value.Secret = mentionsSecret(value, vars)
	var err error
	if value.IsList() {
		value.List, err = expandAll(vars, value.List)
	} else {
		value.Text, err = vars.Expand(value.Text)
	}
	return value, err
}

// mentionsSecret reports whether a secret variable is filled into the value, which
// makes the outcome secret as well.
func mentionsSecret(value Value, vars *Variables) bool {
	for _, text := range append(slices.Clone(value.List), value.Text) {
		for {
			_, rest, found := strings.Cut(text, "%")
			if !found {
				break
			}
			name, used := reference(rest)
			if other, exists := vars.Get(name); used > 0 && exists && other.Secret {
				return true
			}
			text = rest[used:]
		}
	}
	return false
}

// check says what is wrong with a resolved value.
func (o Option) check(v Value) error {
	if v.IsList() && o.Type != TypeValue && o.Type != TypeIntegers {
		return errors.New("one value is needed, not a list")
	}
	switch o.Type {
	case TypeBoolean:
		if !isBool(v.Text) {
			return fmt.Errorf("%s is neither true nor false", quoteSafe(v))
		}
	case TypeInteger, TypeIntegers:
		for _, item := range v.Items() {
			if err := o.Rule.checkInteger(item, v.Secret); err != nil {
				return err
			}
		}
	case TypeVariable:
		if v.Text == "" {
			return nil
		}
		if IsReadOnly(v.Text) {
			return ErrReadOnly
		}
		return CheckName(v.Text)
	case TypeSequence:
		_, err := ParseReference(v.Text)
		return err
	case TypeContent:
		if v.Text == "" {
			return nil
		}
		_, err := ParseReference(v.Text)
		return err
	}
	return o.Rule.checkText(v)
}

func (r *Rule) checkInteger(text string, secret bool) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%s is not a whole number", quoteSafe(Value{Text: text, Secret: secret}))
	}
	if r != nil && r.Min != nil && n < *r.Min {
		return fmt.Errorf("%s is too small; the least is %d", numberSafe(n, secret), *r.Min)
	}
	if r != nil && r.Max != nil && n > *r.Max {
		return fmt.Errorf("%s is too large; the most is %d", numberSafe(n, secret), *r.Max)
	}
	return nil
}

func (r *Rule) checkText(v Value) error {
	if r == nil {
		return nil
	}
	if r.Longest > 0 && len(v.String()) > r.Longest {
		return fmt.Errorf("the text is %d bytes long; at most %d are allowed", len(v.String()), r.Longest)
	}
	if len(r.Choices) > 0 && !slices.Contains(r.Choices, v.Text) {
		return fmt.Errorf("%s is not one of %s", quoteSafe(v), strings.Join(r.Choices, ", "))
	}
	if r.Pattern != "" {
		if ok, err := regexp.MatchString("^(?:"+r.Pattern+")$", v.Text); err != nil || !ok {
			return fmt.Errorf("%s does not match %s", quoteSafe(v), r.Pattern)
		}
	}
	return nil
}

func quoteSafe(v Value) string {
	if v.Secret {
		return Masked
	}
	return quoteValue(v)
}

func numberSafe(n int, secret bool) string {
	if secret {
		return Masked
	}
	return strconv.Itoa(n)
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }
