package tasksequence

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// The limits of variables. They hold for one deployment and are refused, never cut.
const (
	MaxVariables     = 1000
	MaxVariableName  = 128       // bytes
	MaxVariableValue = 64 << 10  // bytes of one value in its JSON form
	MaxVariableBytes = 512 << 10 // bytes of all values together, in their JSON form
)

// Errors of setting a variable.
var (
	ErrReadOnly = errors.New("a variable whose name begins with _ cannot be set by a step")
	ErrLimit    = errors.New("limit of variables exceeded")
)

// Variables hold the variables of a run. Names are compared without regard to
// case; the spelling first given is kept. Not safe for concurrent use.
type Variables struct {
	parent  *Variables // of a step's scope; nil for the run's own
	entries map[string]entry
	bytes   int
	changed map[string]bool
}

type entry struct {
	name  string
	value Value
}

// size counts nothing for a variable that does not exist.
func (e entry) size() int {
	if e.name == "" {
		return 0
	}
	return e.value.size()
}

// NewVariables returns an empty set.
func NewVariables() *Variables {
	return &Variables{entries: map[string]entry{}, changed: map[string]bool{}}
}

// CheckName says why name cannot be a variable's name, or nil. A name begins with
// a letter or _, and goes on with letters, digits, "_", "-" and ".".
func CheckName(name string) error {
	if name == "" {
		return errors.New("a variable needs a name")
	}
	if len(name) > MaxVariableName {
		return fmt.Errorf("the variable name is %d bytes long; at most %d are allowed", len(name), MaxVariableName)
	}
	for i := range len(name) {
		if !nameByte(name[i], i == 0) {
			return fmt.Errorf("%q cannot be a variable name: use letters, digits, _, - and ., beginning with a letter or _", name)
		}
	}
	return nil
}

func nameByte(c byte, first bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		return true
	case c >= '0' && c <= '9', c == '-', c == '.':
		return !first
	}
	return false
}

// IsReadOnly reports whether steps may not set the variable.
func IsReadOnly(name string) bool { return strings.HasPrefix(name, "_") }

// Get returns a variable. In a step's scope the private values come first.
func (v *Variables) Get(name string) (Value, bool) {
	if e, ok := v.entries[fold(name)]; ok {
		return e.value.clone(), true
	}
	if v.parent != nil {
		return v.parent.Get(name)
	}
	return Value{}, false
}

// Text returns a variable as text, empty when it does not exist.
func (v *Variables) Text(name string) string {
	value, _ := v.Get(name)
	return value.String()
}

// Set sets a variable on behalf of a step or a person. It fails for read-only
// names (ErrReadOnly), names that cannot be, and beyond the limits (ErrLimit).
// What was secret once stays secret. In a step's scope it sets the run's variable.
func (v *Variables) Set(name string, value Value) error {
	if IsReadOnly(name) {
		return fmt.Errorf("set %s: %w", name, ErrReadOnly)
	}
	return v.SetSystem(name, value)
}

// SetSystem sets a variable on behalf of the product, read-only names included.
func (v *Variables) SetSystem(name string, value Value) error {
	if v.parent != nil {
		return v.parent.SetSystem(name, value)
	}
	if err := CheckName(name); err != nil {
		return err
	}
	key := fold(name)
	value = value.valid()
	old, exists := v.entries[key]
	if exists {
		name = old.name
		value.Secret = value.Secret || old.value.Secret
	}
	if err := v.checkLimits(name, value, old, exists); err != nil {
		return err
	}
	if exists && old.value.Equal(value) {
		return nil
	}
	v.bytes += value.size() - old.size()
	v.entries[key] = entry{name: name, value: value}
	v.changed[key] = true
	return nil
}

func (v *Variables) checkLimits(name string, value Value, old entry, exists bool) error {
	switch size := value.size(); {
	case !exists && len(v.entries) >= MaxVariables:
		return fmt.Errorf("set %s: %w: there are already %d variables", name, ErrLimit, MaxVariables)
	case size > MaxVariableValue:
		return fmt.Errorf("set %s: %w: the value is %d bytes long, at most %d are allowed", name, ErrLimit, size, MaxVariableValue)
	case v.bytes+size-old.size() > MaxVariableBytes:
		return fmt.Errorf("set %s: %w: all values together may be %d bytes long", name, ErrLimit, MaxVariableBytes)
	}
	return nil
}

// All yields the run's variables in order of their folded names, without the
// private values of a scope.
func (v *Variables) All() iter.Seq2[string, Value] {
	root := v.root()
	return func(yield func(string, Value) bool) {
		for _, key := range slices.Sorted(maps.Keys(root.entries)) {
			if e := root.entries[key]; !yield(e.name, e.value.clone()) {
				return
			}
		}
	}
}

// Private yields the private values of a step's scope in order of their folded names;
// nothing for the run's own variables.
func (v *Variables) Private() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.parent == nil {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v.entries)) {
			if e := v.entries[key]; !yield(e.name, e.value.clone()) {
				return
			}
		}
	}
}

// Len returns the number of the run's variables.
func (v *Variables) Len() int { return len(v.root().entries) }

// TakeChanges returns the names of the variables that were set to something new
// since the last call, sorted, and forgets them. An agent reports these.
func (v *Variables) TakeChanges() []string {
	root := v.root()
	names := make([]string, 0, len(root.changed))
	for _, key := range slices.Sorted(maps.Keys(root.changed)) {
		names = append(names, root.entries[key].name)
	}
	clear(root.changed)
	return names
}

// Clone returns an independent copy of the run's variables.
func (v *Variables) Clone() *Variables {
	root := v.root()
	return &Variables{entries: maps.Clone(root.entries), bytes: root.bytes, changed: maps.Clone(root.changed)}
}

// Scope returns a view of v in which the private values come first. They are
// neither saved nor reported, and vanish with the view.
func (v *Variables) Scope(private map[string]Value) *Variables {
	scope := &Variables{parent: v.root(), entries: map[string]entry{}}
	for name, value := range private {
		scope.entries[fold(name)] = entry{name: name, value: value.clone()}
	}
	return scope
}

// Run returns the run's own variables: what a step's private values hide in its scope.
func (v *Variables) Run() *Variables { return v.root() }

// Secrets returns the secret values, private ones included, for a Masker.
func (v *Variables) Secrets() []string {
	var secrets []string
	for scope := v; scope != nil; scope = scope.parent {
		for _, e := range scope.entries {
			if e.value.Secret {
				secrets = append(secrets, e.value.Items()...)
			}
		}
	}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

// Mask replaces every secret value in text by ***. For many lines make a Masker.
func (v *Variables) Mask(text string) string { return NewMasker(v.Secrets()).Mask(text) }

func (v *Variables) root() *Variables {
	if v.parent != nil {
		return v.parent
	}
	return v
}

func fold(name string) string { return strings.ToLower(name) }
