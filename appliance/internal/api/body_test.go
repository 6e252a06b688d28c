package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"slipway/agent/wire"
)

func TestDepthCountsBracketsOutsideStringsOnly(t *testing.T) {
	for text, want := range map[string]int{`{}`: 1, `[[[]]]`: 3, `{"a":"[[[["}`: 1, `{"a":"\"[["}`: 1, `"x"`: 0, `{"a":[{"b":[]}]}`: 4} {
		if got := depth([]byte(text)); got != want {
			t.Errorf("depth(%s) = %d, want %d", text, got, want)
		}
	}
}

func TestLenientBodiesIgnoreWhatNewerAgentsSay(t *testing.T) {
	body := `{"epoch":2,"future":{"x":1},"events":[{"number":1,"kind":"step-started","time":"2026-01-02T03:04:05Z","colour":"red"}]}`
	var in wire.EventBatch
	if err := decodeStrict(strings.NewReader(body), &in, false); err != nil || in.Epoch != 2 || len(in.Events) != 1 {
		t.Errorf("%+v, %v", in, err)
	}
	if err := decodeStrict(strings.NewReader(body), &in, true); err == nil || !strings.Contains(err.Error(), "future") {
		t.Errorf("strict: %v does not name the field", err)
	}
}

// FuzzBody feeds arbitrary bytes to the decoder of every call's body: it must
// answer with a problem of the caller's fault, never with a panic, and must not
// repeat a value that may be a passcode.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{"passcode":"slipway-lab","device":{"uuid":"x","mac":["52:54:00:12:34:56"]},"environment":"linuxpe"}`,
		`{"epoch":1,"events":[{"number":1,"kind":"finished","status":"succeeded"}]}`, `{"lines":[{"n":1,"text":"x"}]}`,
		`{"sequence":"a:1","variables":[{"name":"N","value":["a","b"],"secret":true}]}`, `{"facts":{"a":"b"}}`,
		`[[[[`, `{"a":1}{"b":2}`, `nul`, `"`, `{"passcode":{"deep":[1,2,{}]}}`, ``, "\xff\xfe", `{"format":1,"steps":[{"steps":[]}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, out := range []any{&wire.PasscodeSignIn{}, &wire.StartDeployment{}, &wire.EventBatch{}, &wire.LogBatch{}, &wire.Facts{},
			&SetPasscode{}, &AddAccount{}, &AddToken{}, &SetBoot{}, &Order{}, &BuildImage{}} {
			for _, known := range []bool{true, false} {
				err := decodeStrict(strings.NewReader(string(body)), out, known)
				var p *Problem
				if err != nil && (!errors.As(err, &p) || p.Status != http.StatusBadRequest) {
					t.Fatalf("%T: %v", out, err)
				}
				if err == nil && !json.Valid(body) {
					t.Fatalf("%T took what is not JSON: %q", out, body)
				}
			}
		}
	})
}
