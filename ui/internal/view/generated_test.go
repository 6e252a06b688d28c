package view

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ/generator"
	"github.com/a-h/templ/parser/v2"
)

// TestGeneratedFilesAreCurrent: what is committed is what `go tool templ
// generate` makes of the templates.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	names, err := filepath.Glob("*.templ")
	if err != nil || len(names) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, name := range names {
		file, err := parser.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := generator.Generate(file, &b, generator.WithFileName(name), generator.WithVersion("v0.3.977")); err != nil {
			t.Fatal(err)
		}
		want, err := format.Source(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		generated := strings.TrimSuffix(name, ".templ") + "_templ.go"
		have, err := os.ReadFile(generated)
		if err != nil {
			t.Fatal(err)
		}
		if strip(have) != strip(want) {
			t.Errorf("%s is not current: run `go tool templ generate -path ui/internal/view` and commit it", generated)
		}
	}
}

// strip removes the file name in error positions, which depends on where the
// generator was started.
func strip(b []byte) string {
	return fileName.ReplaceAllString(string(b), "FileName: ``")
}

var fileName = regexp.MustCompile("FileName: `[^`]*`")

// forbidden would let a text become mark-up, a script or an address unchecked,
// or put something inline that the policy blocks.
var forbidden = map[string]string{
	`templ\.Raw`:                     "a text would become mark-up",
	`templ\.SafeURL`:                 "an address would go unchecked",
	`templ\.(JS|OnClick|Script|CSS)`: "it makes inline code",
	`(?m)^(script|css) `:             "it makes an inline block",
	`\sstyle=`:                       "the policy blocks it",
	`\son[a-z]+=`:                    "the policy blocks it",
	`<script(?: [^>]*)?>[^<]`:        "inline code is blocked by the policy",
	`<style`:                         "inline rules are blocked by the policy",
	`javascript:`:                    "addresses lead to pages",
	`href="https?:|src="https?:`:     "everything is served by the appliance itself",
}

func TestTemplatesHoldNothingInline(t *testing.T) {
	names, err := filepath.Glob("*.templ")
	if err != nil || len(names) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for pattern, why := range forbidden {
			if at := regexp.MustCompile(pattern).FindIndex(body); at != nil {
				line := 1 + bytes.Count(body[:at[0]], []byte("\n"))
				t.Errorf("%s:%d: %s: %s", name, line, pattern, why)
			}
		}
	}
}
