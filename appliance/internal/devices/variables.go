package devices

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Bounds of a device's variables: they stand in its record, which is read often.
const (
	maxVariables     = 100
	maxVariableBytes = 64 << 10 // of all values, in their JSON form
)

// Variable is a variable as a person sets it.
type Variable struct {
	Name  string
	Value tasksequence.Value
	Keep  string // of a secret: the name of the one whose value stays as it is
}

// VariableError is what is wrong with one variable.
type VariableError struct {
	Index  int    // in the list that was given
	Field  string // name or value
	Detail string // a sentence without a stop
}

// VariableErrors is everything that is wrong at once. It is ErrInvalid.
type VariableErrors []VariableError

// Error joins the problems.
func (e VariableErrors) Error() string {
	words := make([]string, len(e))
	for i, x := range e {
		words[i] = fmt.Sprintf("variable %d: %s", x.Index+1, x.Detail)
	}
	return strings.Join(words, "; ")
}

// Unwrap makes it ErrInvalid.
func (e VariableErrors) Unwrap() error { return ErrInvalid }

// SetVariables replaces the variables that the device's next deployments begin with;
// secret values are sealed. One that is under way is not changed. Errors: ErrNotFound,
// VariableErrors.
func (s *Service) SetVariables(ctx context.Context, key string, list []Variable) error {
	return s.change(ctx, key, func(_ *state.Tx, d *fleet.Device) error {
		out, wrong := s.variables(*d, list)
		if len(wrong) > 0 {
			return wrong
		}
		slices.SortFunc(out, func(a, b fleet.DeviceVariable) int {
			return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
		})
		d.Variables = out
		return nil
	})
}

func (s *Service) variables(d fleet.Device, list []Variable) (out []fleet.DeviceVariable, wrong VariableErrors) {
	total := 0
	for i, v := range list {
		report := func(field, detail string) {
			wrong = append(wrong, VariableError{Index: i, Field: field, Detail: detail})
		}
		switch err := tasksequence.CheckName(v.Name); {
		case err != nil:
			report("name", err.Error())
			continue
		case tasksequence.IsReadOnly(v.Name):
			report("name", "names that begin with _ are set by Slipway; choose another one")
		case slices.ContainsFunc(list[:i], func(x Variable) bool { return strings.EqualFold(x.Name, v.Name) }):
			report("name", "another variable has this name already; letter case does not matter")
		case i >= maxVariables:
			report("name", fmt.Sprintf("a device has at most %d variables", maxVariables))
		}
		plain, err := s.plain(d, v)
		if err != nil {
			report("value", err.Error())
			continue
		}
		if total += len(plain); total > maxVariableBytes {
			report("value", fmt.Sprintf("all values together are longer than %d KiB; put long texts into content", maxVariableBytes>>10))
			continue
		}
		x := fleet.DeviceVariable{Name: v.Name, Value: plain, Secret: v.Value.Secret}
		if x.Secret {
			if x, err = s.sealed(d.ID, v.Name, plain); err != nil {
				report("value", err.Error())
			}
		}
		out = append(out, x)
	}
	return out, wrong
}

// plain is the value's JSON form, of a kept secret the one that is sealed.
func (s *Service) plain(d fleet.Device, v Variable) ([]byte, error) {
	if !v.Value.Secret || v.Keep == "" {
		return json.Marshal(v.Value)
	}
	i := slices.IndexFunc(d.Variables, func(x fleet.DeviceVariable) bool { return x.Secret && strings.EqualFold(x.Name, v.Keep) })
	if i < 0 {
		return nil, errors.New("give the secret: none is set")
	}
	return s.opened(d.ID, d.Variables[i])
}

func (s *Service) opened(device string, v fleet.DeviceVariable) ([]byte, error) {
	if s.sealer == nil {
		return nil, errors.New("secrets cannot be kept: there is no key")
	}
	plain, err := s.sealer.Open(v.Sealed, fleet.VariablePurpose(device, v.Name))
	if err != nil {
		return nil, fmt.Errorf("the secret of %s cannot be opened any more; give it anew", v.Name)
	}
	return plain, nil
}

func (s *Service) sealed(device, name string, plain []byte) (fleet.DeviceVariable, error) {
	if s.sealer == nil {
		return fleet.DeviceVariable{}, errors.New("secrets cannot be kept: there is no key")
	}
	box, err := s.sealer.Seal(plain, fleet.VariablePurpose(device, name))
	if err != nil {
		return fleet.DeviceVariable{}, fmt.Errorf("seal %s: %w", name, err)
	}
	return fleet.DeviceVariable{Name: name, Secret: true, Sealed: box}, nil
}

// mergeVariables are those of keep, with what drop adds sealed for its new place.
func (s *Service) mergeVariables(keep, drop fleet.Device) ([]fleet.DeviceVariable, error) {
	out := slices.Clone(keep.Variables)
	for _, v := range drop.Variables {
		if len(out) >= maxVariables || slices.ContainsFunc(out, func(x fleet.DeviceVariable) bool { return strings.EqualFold(x.Name, v.Name) }) {
			continue
		}
		if v.Secret {
			plain, err := s.opened(drop.ID, v)
			if err != nil {
				return nil, err
			}
			if v, err = s.sealed(keep.ID, v.Name, plain); err != nil {
				return nil, err
			}
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b fleet.DeviceVariable) int {
		return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return out, nil
}

// variableNames are the names for the audit log, secret ones marked.
func variableNames(list []Variable) string {
	words := make([]string, 0, len(list))
	for _, v := range list {
		if v.Value.Secret {
			words = append(words, v.Name+" (secret)")
		} else {
			words = append(words, v.Name)
		}
	}
	return strings.Join(words, ", ")
}
