package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"slipway/agent/wire"
	"slipway/fleet"
	"slipway/tasksequence"
)

// merge puts reported variables into the record, secret ones sealed. What was
// secret once stays secret. The record comes back sorted by name.
func (e *Engine) merge(id string, records []fleet.VariableRecord, reported []wire.Variable) ([]fleet.VariableRecord, error) {
	records = slices.Clone(records)
	index := make(map[string]int, len(records))
	for i, r := range records {
		index[strings.ToLower(r.Name)] = i
	}
	for _, v := range reported {
		value, err := readVariable(v)
		if err != nil {
			return nil, err
		}
		at, known := index[strings.ToLower(v.Name)]
		name := v.Name
		if known {
			name = records[at].Name
			value.Secret = value.Secret || records[at].Sealed != nil
		}
		record, err := e.record(id, name, value)
		if err != nil {
			return nil, err
		}
		if known {
			records[at] = record
			continue
		}
		index[strings.ToLower(name)] = len(records)
		records = append(records, record)
		if len(records) > tasksequence.MaxVariables { // at once: a report may hold very many, and each costs a sealing
			return nil, checkSizes(records)
		}
	}
	slices.SortFunc(records, func(a, b fleet.VariableRecord) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return records, checkSizes(records)
}

// checkSizes holds the limits of package tasksequence for the record as well, with
// room for what sealing adds.
func checkSizes(records []fleet.VariableRecord) error {
	total := 0
	for _, r := range records {
		total += len(r.Value) + len(r.Sealed)
	}
	if len(records) > tasksequence.MaxVariables || total > tasksequence.MaxVariableBytes+64<<10 {
		return &FieldError{Field: "variables", Detail: fmt.Sprintf("%d variables with %d bytes; at most %d with %d bytes are kept",
			len(records), total, tasksequence.MaxVariables, tasksequence.MaxVariableBytes)}
	}
	return nil
}

func readVariable(v wire.Variable) (tasksequence.Value, error) {
	if err := tasksequence.CheckName(v.Name); err != nil {
		return tasksequence.Value{}, &FieldError{Field: "variables", Detail: err.Error()}
	}
	var value tasksequence.Value
	if err := json.Unmarshal(v.Value, &value); err != nil {
		return tasksequence.Value{}, &FieldError{Field: "variables." + v.Name, Detail: err.Error()}
	}
	if len(v.Value) > 2*tasksequence.MaxVariableValue {
		return tasksequence.Value{}, &FieldError{Field: "variables." + v.Name,
			Detail: fmt.Sprintf("the value is %d bytes long; at most %d are kept", len(v.Value), tasksequence.MaxVariableValue)}
	}
	value.Secret = v.Secret
	return value, nil
}

func (e *Engine) record(id, name string, value tasksequence.Value) (fleet.VariableRecord, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return fleet.VariableRecord{}, fmt.Errorf("variable %s: %w", name, err)
	}
	if len(plain) > tasksequence.MaxVariableValue {
		return fleet.VariableRecord{}, &FieldError{Field: "variables." + name,
			Detail: fmt.Sprintf("the value is %d bytes long; at most %d are kept", len(plain), tasksequence.MaxVariableValue)}
	}
	if !value.Secret {
		return fleet.VariableRecord{Name: name, Value: plain}, nil
	}
	sealed, err := e.opts.Sealer.Seal(plain, purpose(id, name))
	if err != nil {
		return fleet.VariableRecord{}, fmt.Errorf("seal variable %s: %w", name, err)
	}
	return fleet.VariableRecord{Name: name, Sealed: sealed}, nil
}

func purpose(id, name string) string { return "variable/" + id + "/" + strings.ToLower(name) }

// plainVariables returns the variables for the wire. Secret values are opened only
// for the device itself; for others they are masked.
func (e *Engine) plainVariables(d fleet.Deployment, reveal bool) ([]wire.Variable, error) {
	out := make([]wire.Variable, 0, len(d.Variables))
	for _, r := range d.Variables {
		v := wire.Variable{Name: r.Name, Value: r.Value}
		if r.Sealed != nil {
			v.Secret = true
			v.Value = json.RawMessage(`"` + tasksequence.Masked + `"`)
			if reveal {
				plain, err := e.opts.Sealer.Open(r.Sealed, purpose(d.ID, r.Name))
				if err != nil {
					return nil, fmt.Errorf("open variable %s of deployment %s: %w", r.Name, d.ID, err)
				}
				v.Value = plain
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// maskerFor masks the secret values of a deployment, those of its document included.
// One that cannot be opened cannot be masked either; that is logged.
func (e *Engine) maskerFor(d fleet.Deployment) *tasksequence.Masker {
	var secrets []string
	document, err := e.document(d.Document)
	if err == nil {
		secrets, err = e.vault.secrets(document)
	}
	if err != nil {
		e.opts.Logger.Error("secrets of a document cannot be opened", "deployment", d.ID, "error", err)
	}
	for _, r := range d.Variables {
		if r.Sealed == nil {
			continue
		}
		plain, err := e.opts.Sealer.Open(r.Sealed, purpose(d.ID, r.Name))
		var value tasksequence.Value
		if err == nil {
			err = json.Unmarshal(plain, &value)
		}
		if err != nil {
			e.opts.Logger.Error("secret variable cannot be opened", "deployment", d.ID, "variable", r.Name, "error", err)
			continue
		}
		secrets = append(secrets, value.Items()...)
	}
	return tasksequence.NewMasker(secrets)
}

// secretsIn returns the secret values among reported variables.
func secretsIn(reported []wire.Variable) []string {
	var secrets []string
	for _, v := range reported {
		if value, err := readVariable(v); err == nil && v.Secret {
			secrets = append(secrets, value.Items()...)
		}
	}
	return secrets
}
