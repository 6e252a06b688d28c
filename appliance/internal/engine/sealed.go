package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"slipway/tasksequence"
)

// Secret settings of task sequences are sealed one by one, where they stand, in the
// library and in pinned documents alike:
//
//	"VariableValue": {"sealed": 1, "data": "<base64>"}
//
// A setting is a text or a list of texts, never an object, so nothing that people
// write can be taken for a sealed one. The whole body is not sealed: lists, plans,
// validation and the console read it without a key, an administrator can still read
// the rest when the key file is lost, and whoever only shows a sequence never holds
// its secrets. Text is sealed as JSON, so that a list opens as a list.
//
// A value is bound to sequence, version, step and option. A document takes the sealed
// values over as the library has them: deployments of one version share one document,
// and its hash is one of sealed text, which cannot serve to try out guesses.
//
// What is one %NAME% alone is no secret but the name of a variable, and stays; what
// is empty stays as well.

// sealedFormat is the number of this form.
const sealedFormat = 1

type sealedSetting struct {
	Sealed int    `json:"sealed"`
	Data   []byte `json:"data"`
}

var (
	errNotSealed   = errors.New("it is neither a value nor a sealed one")
	errSealedNewer = errors.New("it was sealed by a newer version of Slipway: install that version again")
)

// isSealed reports whether a stored setting is not a plain value.
func isSealed(setting json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimSpace(setting), []byte("{"))
}

// readSealed returns the sealed bytes of a setting.
func readSealed(setting json.RawMessage) ([]byte, error) {
	var format struct {
		Sealed int `json:"sealed"`
	}
	if json.Unmarshal(setting, &format) == nil && format.Sealed > sealedFormat {
		return nil, errSealedNewer
	}
	var s sealedSetting
	dec := json.NewDecoder(bytes.NewReader(setting))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return nil, errNotSealed
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || s.Sealed != sealedFormat || len(s.Data) == 0 {
		return nil, errNotSealed
	}
	return s.Data, nil
}

// vault seals and opens the secret settings of sequences.
type vault struct {
	sealer    Sealer
	catalogue func() *tasksequence.Catalogue
}

func settingPurpose(s tasksequence.Sequence, x tasksequence.Setting) string {
	return fmt.Sprintf("sequence/%s:%d/%s/%s", s.ID, s.Version, x.Node.ID, x.Option)
}

// secret reports whether a plain setting is to be sealed.
func (v vault) secret(x tasksequence.Setting) bool {
	var value tasksequence.Value
	return v.catalogue().SecretSetting(x.Node, x.Option) && !tasksequence.IsReference(x.Value) &&
		(json.Unmarshal(x.Value, &value) != nil || len(value.Items()) > 0)
}

// seal seals what is secret and not sealed yet. The sequence has its id and version.
func (v vault) seal(s tasksequence.Sequence) (tasksequence.Sequence, error) {
	return s.MapSettings(func(x tasksequence.Setting) (json.RawMessage, error) {
		if isSealed(x.Value) || !v.secret(x) {
			return x.Value, nil
		}
		data, err := v.sealer.Seal(x.Value, settingPurpose(s, x))
		if err != nil {
			return nil, fmt.Errorf("seal %s of step %s: %w", x.Option, x.Path, err)
		}
		return json.Marshal(sealedSetting{Sealed: sealedFormat, Data: data})
	})
}

// open returns the sequence with its real values, also one that was never sealed.
func (v vault) open(s tasksequence.Sequence) (tasksequence.Sequence, error) {
	return s.MapSettings(func(x tasksequence.Setting) (json.RawMessage, error) {
		if !isSealed(x.Value) {
			return x.Value, nil
		}
		data, err := readSealed(x.Value)
		var plain []byte
		if err == nil {
			plain, err = v.sealer.Open(data, settingPurpose(s, x))
		}
		if err == nil && !json.Valid(plain) {
			err = errNotSealed
		}
		if err != nil {
			return nil, fmt.Errorf("the secret %s of step %s in task sequence %s: %w", x.Option, x.Path, s.Reference(), err)
		}
		return plain, nil
	})
}

// mask returns the sequence as people see it: *** stands for every secret, sealed or
// not.
func (v vault) mask(s tasksequence.Sequence) (tasksequence.Sequence, error) {
	return s.MapSettings(func(x tasksequence.Setting) (json.RawMessage, error) {
		if isSealed(x.Value) || v.secret(x) {
			return json.RawMessage(`"` + tasksequence.Masked + `"`), nil
		}
		return x.Value, nil
	})
}

// document applies fn to every sequence of a pinned document.
func (v vault) document(body []byte, fn func(tasksequence.Sequence) (tasksequence.Sequence, error)) ([]byte, error) {
	doc, err := tasksequence.ParseDocument(body)
	if err != nil {
		return nil, err
	}
	if err := mapSequences(doc, fn); err != nil {
		return nil, err
	}
	return json.Marshal(doc)
}

func mapSequences(doc *tasksequence.Document, fn func(tasksequence.Sequence) (tasksequence.Sequence, error)) (err error) {
	if doc.Sequence, err = fn(doc.Sequence); err != nil {
		return err
	}
	for key, child := range doc.Children {
		if doc.Children[key], err = fn(child); err != nil {
			return err
		}
	}
	return nil
}

// body applies fn to a sequence as the library holds it.
func (v vault) body(body []byte, fn func(tasksequence.Sequence) (tasksequence.Sequence, error)) ([]byte, error) {
	var s tasksequence.Sequence
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("the stored task sequence: %w", err)
	}
	s, err := fn(s)
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// secrets returns the secret values of a pinned document, for a Masker. What cannot
// be opened is left out and told by err.
func (v vault) secrets(body []byte) (values []string, err error) {
	doc, err := tasksequence.ParseDocument(body)
	if err != nil {
		return nil, err
	}
	var errs []error
	err = mapSequences(doc, func(s tasksequence.Sequence) (tasksequence.Sequence, error) {
		hidden, err := v.open(s)
		if err != nil {
			errs = append(errs, err)
			return s, nil
		}
		_, err = hidden.MapSettings(func(x tasksequence.Setting) (json.RawMessage, error) {
			var value tasksequence.Value
			if v.secret(x) && json.Unmarshal(x.Value, &value) == nil {
				values = append(values, value.Items()...)
			}
			return x.Value, nil
		})
		return s, err
	})
	return values, errors.Join(append(errs, err)...)
}

// holder keeps sealed values aside while a sequence is looked at as people see it.
type holder struct {
	vault  vault
	sealed map[string]json.RawMessage // by purpose
}

// take masks a sequence and remembers what is sealed in it.
func (h *holder) take(s tasksequence.Sequence) (tasksequence.Sequence, error) {
	return s.MapSettings(func(x tasksequence.Setting) (json.RawMessage, error) {
		if !isSealed(x.Value) {
			return x.Value, nil
		}
		h.sealed[settingPurpose(s, x)] = x.Value
		return json.RawMessage(`"` + tasksequence.Masked + `"`), nil
	})
}

// back puts the sealed values back, and seals what an earlier version kept unsealed.
func (h *holder) back(s tasksequence.Sequence) (tasksequence.Sequence, error) {
	s, err := s.MapSettings(func(x tasksequence.Setting) (json.RawMessage, error) {
		if value, ok := h.sealed[settingPurpose(s, x)]; ok {
			return value, nil
		}
		return x.Value, nil
	})
	if err != nil {
		return s, err
	}
	return h.vault.seal(s)
}
