package installed

import (
	"os"
	"strings"
	"testing"
)

func TestArguments(t *testing.T) {
	tests := []struct {
		args string
		code int
		want string // on either output
	}{
		{"--help", ExitSucceeded, "Exit codes:"},
		{"-h", ExitSucceeded, "--config FILE"},
		{"", ExitUsage, "--config FILE is missing"},
		{"--config a.json more", ExitUsage, `"more" is too much`},
		{"--conf a.json", ExitUsage, "not defined: -conf"},
		{"--config /no/such/file.json", ExitUsage, "/no/such/file.json: no such file"},
	}
	for _, tt := range tests {
		var out, errs strings.Builder
		code := Start(strings.Fields(tt.args), "test", os.Stdin, &out, &errs)
		if code != tt.code || !strings.Contains(out.String()+errs.String(), tt.want) {
			t.Errorf("%q: %d, %q, %q", tt.args, code, out.String(), errs.String())
		}
		if code != ExitSucceeded && (strings.Count(errs.String(), "\n") != 1 || out.Len() > 0) {
			t.Errorf("%q: not one line on standard error: %q, %q", tt.args, out.String(), errs.String())
		}
	}
}
