// Command fake stands in for one of Windows' tools in tests: the one whose name its
// file has. It does what the script says of the next call, and fails any other.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"slipway/agent/winetest/script"
)

// unexpected is the exit code of a call that is not in the script.
const unexpected = 99

func main() { os.Exit(run()) }

func run() int {
	dir := os.Getenv(script.Variable)
	name := strings.ToLower(os.Args[0])
	if i := strings.LastIndexAny(name, `\/`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.TrimSuffix(name, ".exe")
	if err := answer(dir, name, os.Args[1:]); err != nil {
		line := fmt.Sprintf("%s %s: %v\n", name, strings.Join(os.Args[1:], " "), err)
		fmt.Fprint(os.Stderr, line)
		note(filepath.Join(dir, script.Failures), line)
		return unexpected
	}
	return code
}

// code is what the script wants the tool to end with.
var code int

func answer(dir, name string, args []string) error {
	text, err := os.ReadFile(filepath.Join(dir, script.File))
	if err != nil {
		return err
	}
	var calls []script.Call
	if err := json.Unmarshal(text, &calls); err != nil {
		return err
	}
	came, _ := os.ReadFile(filepath.Join(dir, script.Calls))
	next := strings.Count(string(came), "\n")
	if next >= len(calls) {
		return fmt.Errorf("no call is expected any more")
	}
	call := calls[next]
	if why := call.Fits(name, args); why != "" {
		return fmt.Errorf("%s", why)
	}
	if err := inputs(call, args); err != nil {
		return err
	}
	note(filepath.Join(dir, script.Calls), strings.ReplaceAll(name+" "+strings.Join(args, " "), "\n", " ")+"\n")
	for file, content := range call.Make {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return err
		}
	}
	fmt.Print(call.Output)
	code = call.Exit
	return nil
}

// inputs compares what the tool would read.
func inputs(call script.Call, args []string) error {
	if call.Input != "" {
		text, err := os.ReadFile(strings.TrimPrefix(args[call.InputAt], call.InputAfter))
		if err != nil {
			return err
		}
		if got := script.Plain(string(text)); !script.Like(script.Plain(call.Input), got) {
			return fmt.Errorf("its file holds\n%s", got)
		}
	}
	if call.Stdin != "" {
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		if got := script.Plain(string(text)); got != script.Plain(call.Stdin) {
			return fmt.Errorf("it reads\n%s", got)
		}
	}
	return nil
}

func note(file, line string) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString(line)
}
