package tasksequence

import (
	"encoding/json"
	"maps"
	"slices"
)

// Setting is one setting of a step as MapSettings passes it on.
type Setting struct {
	Path   string // of the step within its sequence
	Node   *Node  // not to be changed
	Option string
	Value  json.RawMessage // as written
}

// MapSettings returns a copy of the sequence in which every setting has the value
// that fn answers. An error of fn ends it.
func (s Sequence) MapSettings(fn func(Setting) (json.RawMessage, error)) (Sequence, error) {
	var err error
	s.Steps, err = mapSettings(s.Steps, "", fn)
	return s, err
}

func mapSettings(nodes []Node, prefix string, fn func(Setting) (json.RawMessage, error)) ([]Node, error) {
	out := slices.Clone(nodes)
	for i := range out {
		n := &nodes[i]
		path := prefix + n.ID
		var err error
		if out[i].Steps, err = mapSettings(n.Steps, path+"/", fn); err != nil {
			return nil, err
		}
		out[i].Settings = maps.Clone(n.Settings)
		for _, name := range slices.Sorted(maps.Keys(n.Settings)) {
			if out[i].Settings[name], err = fn(Setting{Path: path, Node: n, Option: name, Value: n.Settings[name]}); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// SecretSetting reports whether a step's setting is to be kept secret, by the
// definition that the catalogue has for the step.
func (c *Catalogue) SecretSetting(n *Node, option string) bool {
	define, ok := c.Find(n.Definition, n.DefinitionVersion)
	return ok && define.SecretSetting(n, option)
}

// SecretSetting reports whether a step's setting is to be kept secret: its option is
// secret always, or the switch that makes it so is not plainly off.
func (d Definition) SecretSetting(n *Node, option string) bool {
	o, ok := d.Option(option)
	return ok && d.secret(o, n)
}

func (d Definition) secret(o Option, n *Node) bool {
	if o.Secret || o.SecretIf == "" {
		return o.Secret
	}
	by, ok := d.Option(o.SecretIf)
	if !ok {
		return true
	}
	value, set, err := settingOf(by, n)
	return err != nil || set && (value.IsList() || value.Text != "false")
}

// IsMasked reports whether a setting is the mask that stands for a secret value.
func IsMasked(setting json.RawMessage) bool {
	var value Value
	return json.Unmarshal(setting, &value) == nil && !value.IsList() && value.Text == Masked
}

// IsReference reports whether a setting is one %NAME% and nothing else: it names the
// variable that holds the value, and holds none itself.
func IsReference(setting json.RawMessage) bool {
	var value Value
	if json.Unmarshal(setting, &value) != nil || value.IsList() {
		return false
	}
	_, sole := soleReference(value.Text)
	return sole
}

// hidden reports whether a secret value is only known by its mask.
func (v Value) hidden() bool { return v.Secret && !v.IsList() && v.Text == Masked }
