package main

import (
	"strings"
	"testing"
)

// TestWhatIsMissingIsNamed: a command about something that is not there says what it
// looked for, in one line.
func TestWhatIsMissingIsNamed(t *testing.T) {
	r := start(t, t.TempDir())
	for _, c := range []struct {
		args string
		want string
	}{
		{"deployment show d-1", `There is no deployment "d-1".`},
		{"deployment cancel d-1", `There is no deployment "d-1".`},
		{"deployment log d-1", `There is no deployment "d-1".`},
		{"device boot pc-7 image", `There is no device "pc-7".`},
		{"device assign pc-7 hello", `There is no device "pc-7".`},
		{"device variables pc-7 A=1", `There is no device "pc-7".`},
		{"sequence export office:3", `There is no task sequence "office:3".`},
		{"step export mine", `There is no step definition "mine".`},
		{"account remove bert", `There is no account "bert".`},
		{"token revoke t-9", `There is no token "t-9".`},
	} {
		code, out, errText := r.cli("", strings.Fields(c.args)...)
		if code != exitFailed || out != "" || strings.TrimSpace(errText) != "slipway: "+c.want {
			t.Errorf("%s: exit %d, %q, %q", c.args, code, out, errText)
		}
	}
}
