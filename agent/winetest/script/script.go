// Package script is what the fakes of Windows' tools and the tests agree on.
package script

import (
	"fmt"
	"regexp"
	"strings"
)

// Variable names the folder of the fakes in the environment.
const Variable = "SLIPWAY_FAKES"

// Files in that folder.
const (
	File     = "script.json"  // the calls that are expected, in their order
	Calls    = "calls.txt"    // the calls that came, one on each line
	Failures = "failures.txt" // those that were not expected
)

// Call is one call of a tool.
type Call struct {
	Program    string            `json:"program"`              // without .exe
	Args       []string          `json:"args"`                 // * stands for anything
	Input      string            `json:"input,omitempty"`      // what the file that Args[InputAt] names has to hold, with * for anything; line ends do not count
	InputAt    int               `json:"inputAt,omitempty"`    //
	InputAfter string            `json:"inputAfter,omitempty"` // what stands before the file's name in that argument
	Stdin      string            `json:"stdin,omitempty"`      // what standard input has to hold
	Output     string            `json:"output,omitempty"`     // what the tool says
	Exit       int               `json:"exit,omitempty"`       // its exit code
	Make       map[string]string `json:"make,omitempty"`       // files that it writes
	Optional   bool              `json:"optional,omitempty"`   // it may be missing at the end
}

// String is the call as it would be typed.
func (c Call) String() string { return strings.Join(append([]string{c.Program}, c.Args...), " ") }

// Fits says what of a call is not as expected; empty: nothing.
func (c Call) Fits(program string, args []string) string {
	if !strings.EqualFold(program, c.Program) || len(args) != len(c.Args) {
		return fmt.Sprintf("expected: %s", c)
	}
	for i, want := range c.Args {
		if !Like(want, args[i]) {
			return fmt.Sprintf("argument %d is to be %q", i+1, want)
		}
	}
	return ""
}

// Like compares a text with what is wanted, in which * stands for anything.
func Like(want, text string) bool {
	pattern := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\*`, ".*") + "$"
	return regexp.MustCompile(pattern).MatchString(text)
}

// Plain leaves out what does not count in a text.
func Plain(text string) string {
	return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
}
