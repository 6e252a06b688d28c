package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"slipway/tasksequence"
)

const sealedStep = `{"id":"s%s","version":%VERSION%,"status":"%STATUS%","name":"Secret","steps":[{"id":"pw","name":"Password","definition":"set-variable","settings":{"VariableName":"P","VariableValue":"%VALUE%","Secret":true}}]}`

func secretDoc(id, version, status, value string) []byte {
	return []byte(strings.NewReplacer("s%s", id, "%VERSION%", version, "%STATUS%", status, "%VALUE%", value).Replace(sealedStep))
}

// TestSaveKnowsWhatItBeganWith: two who edit the same do not overwrite each other.
func TestSaveKnowsWhatItBeganWith(t *testing.T) {
	b := newBench(t)
	first, err := b.library.Save(t.Context(), boss, secretDoc("x", "0", "development", "hunter2"), Edit{})
	b.check(err)
	b.expect("first version", first.Version, 1)
	if strings.Contains(string(first.Body), "hunter2") {
		t.Error("the answer shows the secret")
	}
	_, err = b.library.Save(t.Context(), boss, secretDoc("x", "0", "development", "other"), Edit{})
	var conflict *ConflictError
	if !errors.As(err, &conflict) || conflict.Current.Version != 1 {
		t.Errorf("a second one that began with nothing: %v", err)
	}

	edit := Edit{Origin: tasksequence.Reference{ID: "x", Version: 1}, Newest: 1, ChangedAt: first.UpdatedAt}
	b.clock.add(time.Minute)
	again, err := b.library.Save(t.Context(), boss, secretDoc("x", "1", "development", tasksequence.Masked), edit)
	b.check(err)
	b.expect("replaced", again.Version, 1)
	b.clock.add(time.Minute)
	if _, err = b.library.Save(t.Context(), boss, secretDoc("x", "1", "development", "mine"), edit); !errors.As(err, &conflict) {
		t.Errorf("one that does not know of the change: %v", err)
	}
	edit.ChangedAt = again.UpdatedAt
	published, err := b.library.Save(t.Context(), boss, secretDoc("x", "1", "active", tasksequence.Masked), edit)
	b.check(err)
	b.expect("published", published.Status, "active")
	edit.ChangedAt = published.UpdatedAt
	if _, err = b.library.Save(t.Context(), boss, secretDoc("x", "1", "development", "mine"), edit); !errors.As(err, &conflict) {
		t.Errorf("an active version was replaced: %v", err)
	}

	copied, err := b.library.Save(t.Context(), boss, secretDoc("y", "0", "development", tasksequence.Masked), Edit{Origin: edit.Origin})
	b.check(err)
	b.expect("a clone keeps its secret", copied.Version, 1)
	problems, err := b.library.Check(secretDoc("z", "0", "development", tasksequence.Masked), tasksequence.Reference{})
	b.check(err)
	if len(problems) != 1 || problems[0].Field != "settings.VariableValue" || problems[0].Step != "pw" {
		t.Errorf("a mask for nothing: %v", problems)
	}
}

func TestSetStatus(t *testing.T) {
	b := newBench(t)
	_, err := b.library.Save(t.Context(), boss, secretDoc("x", "0", "development", "hunter2"), Edit{})
	b.check(err)
	for _, status := range []string{"active", "deprecated", "active"} {
		s, err := b.library.SetStatus(t.Context(), boss, "x", 1, status)
		b.check(err)
		b.expect("status", s.Status, status)
	}
	if _, err := b.library.SetStatus(t.Context(), boss, "x", 1, "development"); err == nil {
		t.Error("an active version went back into development")
	}
	_, err = b.library.SetStatus(t.Context(), boss, "x", 9, "active")
	b.expectError("no such version", err, ErrNotFound)
}
