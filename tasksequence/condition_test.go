package tasksequence

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func condition(t testing.TB, text string) *Condition {
	t.Helper()
	c := new(Condition)
	if err := json.Unmarshal([]byte(text), c); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if errs := c.check(); len(errs) > 0 {
		t.Fatalf("%s: %v", text, errs)
	}
	return c
}

func TestComparisons(t *testing.T) {
	v := varsOf(t, "Make", "Dell Inc.", "Memory", "8192", "OS", "10.0.22631", "Empty", "", "Wanted", "dell inc.", "_Flag", "true")
	set(t, v, "Disks", Value{List: []string{"sda", "NVME0"}})
	set(t, v, "None", Value{List: []string{}})
	for text, want := range map[string]bool{
		`{"variable":"make","equals":"DELL INC."}`:                                                     true,
		`{"variable":"Make","equals":"Dell"}`:                                                          false,
		`{"variable":"Make","notEquals":"Dell"}`:                                                       true,
		`{"variable":"Make","notEquals":"dell inc."}`:                                                  false,
		`{"variable":"Make","equals":"%Wanted%"}`:                                                      true,
		`{"variable":"Make","contains":"dell"}`:                                                        true,
		`{"variable":"Make","contains":""}`:                                                            true,
		`{"variable":"Make","matches":"^Dell"}`:                                                        true,
		`{"variable":"Make","matches":"^dell"}`:                                                        false,
		`{"variable":"Make","matches":"(?i)^dell"}`:                                                    true,
		`{"variable":"Make","in":["HP","dell inc."]}`:                                                  true,
		`{"variable":"Make","in":[]}`:                                                                  false,
		`{"variable":"Memory","greater":4096}`:                                                         true,
		`{"variable":"Memory","greater":"10000"}`:                                                      false, // numbers, not texts
		`{"variable":"Memory","less":8192}`:                                                            false,
		`{"variable":"Memory","less":8192.5}`:                                                          true,
		`{"variable":"OS","less":"10.0.22632"}`:                                                        true,
		`{"variable":"OS","greater":"10.0.9999"}`:                                                      true,
		`{"variable":"OS","greater":"10.0.22631.0"}`:                                                   false,
		`{"variable":"OS","less":"11"}`:                                                                true,
		`{"variable":"Make","less":"Zebra"}`:                                                           false, // cannot be compared by size
		`{"variable":"Missing","less":"5"}`:                                                            false,
		`{"variable":"Missing","equals":""}`:                                                           true,
		`{"variable":"Missing","notEquals":"x"}`:                                                       true,
		`{"variable":"Missing","exists":true}`:                                                         false,
		`{"variable":"Missing","exists":false}`:                                                        true,
		`{"variable":"Empty","exists":true}`:                                                           true,
		`{"variable":"_Flag","equals":true}`:                                                           true,
		`{"variable":"Disks","contains":"nvme0"}`:                                                      true,
		`{"variable":"Disks","contains":"nvme"}`:                                                       false,
		`{"variable":"Disks","equals":"sda"}`:                                                          true,
		`{"variable":"Disks","notEquals":"sda"}`:                                                       false,
		`{"variable":"Disks","matches":"^NV"}`:                                                         true,
		`{"variable":"None","equals":""}`:                                                              false,
		`{"variable":"None","notEquals":""}`:                                                           true,
		`{"not":{"variable":"Make","equals":"HP"}}`:                                                    true,
		`{"and":[{"variable":"Make","exists":true},{"variable":"Memory","less":1}]}`:                   false,
		`{"or":[{"variable":"Memory","less":1},{"variable":"Make","exists":true}]}`:                    true,
		`{"or":[{"and":[{"variable":"Make","exists":true},{"not":{"variable":"OS","exists":true}}]}]}`: false,
	} {
		outcome := condition(t, text).Evaluate(v)
		if outcome.Met != want || outcome.Reason == "" {
			t.Errorf("%s: %+v", text, outcome)
		}
	}
	if !(*Condition)(nil).Evaluate(v).Met {
		t.Error("no condition is always met")
	}
}

func TestReasons(t *testing.T) {
	v := varsOf(t, "Make", "QEMU", "Memory", "x\x1b[2J"+strings.Repeat("y", 5000))
	set(t, v, "Password", Value{Text: "hunter22", Secret: true})
	for text, want := range map[string]string{
		`{"variable":"Make","equals":"Dell"}`:            `Make equals "Dell" is not met: Make is "QEMU"`,
		`{"variable":"Disk","exists":true}`:              `Disk exists is not met: Disk is not set`,
		`{"variable":"Make","greater":5}`:                `Make greater "5" is not met: Make is "QEMU" (only numbers and versions such as 10.0.22631 can be compared by size)`,
		`{"variable":"Password","equals":"hunter2"}`:     `Password equals "hunter2" is not met: Password is ***`,
		`{"variable":"Password","notEquals":"hunter22"}`: `Password notEquals "***" is not met: Password is ***`,
		`{"and":[{"variable":"Make","exists":true},{"variable":"Make","equals":"A"},{"variable":"Make","equals":"B"}]}`: `Make equals "A" is not met: Make is "QEMU"`,
		`{"or":[{"variable":"Make","equals":"A"},{"variable":"Make","in":["B","C"]}]}`:                                  `Make equals "A" is not met: Make is "QEMU"; Make in ["B" "C"] is not met: Make is "QEMU"`,
		`{"not":{"variable":"Make","exists":true}}`:                                                                     `not: Make exists is met: Make is "QEMU"`,
	} {
		if got := condition(t, text).Evaluate(v).Reason; got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
	if got := condition(t, `{"variable":"Memory","equals":"a"}`).Evaluate(v).Reason; len(got) > 400 || strings.Contains(got, "\x1b") {
		t.Errorf("a wild value: %q", got)
	}
}

func TestConditionsThatAreRefused(t *testing.T) {
	deep := strings.Repeat(`{"not":`, MaxConditionDepth+1) + `{"variable":"A","exists":true}` + strings.Repeat(`}`, MaxConditionDepth+1)
	wide := `{"or":[` + strings.TrimSuffix(strings.Repeat(`{"variable":"A","exists":true},`, MaxConditionNodes), ",") + `]}`
	for text, want := range map[string]string{
		`{}`: "exactly one of", `null`: "an object", `[]`: "an object", `"x"`: "an object",
		`{"variable":"A"}`:                                               "needs one comparison",
		`{"equals":"x"}`:                                                 "exactly one of",
		`{"variable":"A","equals":"x","less":"y"}`:                       "one comparison, not both",
		`{"variable":"A","like":"x"}`:                                    "unknown member",
		`{"variable":"A","Equals":"x"}`:                                  "unknown member",
		`{"variable":"A B","equals":"x"}`:                                "variable name",
		`{"variable":"","equals":"x"}`:                                   "name of a variable",
		`{"variable":"A","equals":["x"]}`:                                "not a list",
		`{"variable":"A","equals":{"x":1}}`:                              "a value is",
		`{"variable":"A","equals":null}`:                                 "a value is",
		`{"variable":"A","in":"x"}`:                                      "needs a list",
		`{"variable":"A","exists":"maybe"}`:                              "true or false",
		`{"variable":"A","matches":"("}`:                                 "cannot be read",
		`{"variable":"A","matches":"` + strings.Repeat("x", 1001) + `"}`: "1000 bytes",
		`{"and":[]}`: "at least one", `{"or":null}`: "at least one", `{"not":null}`: "needs a condition",
		`{"and":[{"variable":"A","exists":true}],"not":{"variable":"A","exists":true}}`: "exactly one of",
		deep: "nested", wide: "500 parts",
		strings.Repeat(`{"not":`, 100_000): "",
	} {
		if got := refusal(text); got == "" || !strings.Contains(got, want) {
			t.Errorf("%.80s: got %q, want %q", text, got, want)
		}
	}
}

// refusal returns why a text is no condition, empty when it is one.
func refusal(text string) string {
	var c Condition
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err.Error()
	}
	return strings.Trim(fmt.Sprint(c.check()), "[]")
}

func FuzzCondition(f *testing.F) {
	for _, seed := range []string{
		`{"variable":"A","equals":"x"}`, `{"and":[{"variable":"A","less":3},{"not":{"variable":"B","exists":false}}]}`,
		`{"or":[{"variable":"A","in":["x","%B%"]}]}`, `{"variable":"A","matches":"^a+$"}`, `{"variable":"A","contains":true}`,
		`{"not":null}`, `{"and":[{}]}`, `{"variable":"A","equals":1e400}`, `[]`, `{"variable":"A","greater":"1.2.3.4"}`,
	} {
		f.Add([]byte(seed), "10.0.1")
	}
	f.Fuzz(func(t *testing.T, text []byte, value string) {
		var c Condition
		if json.Unmarshal(text, &c) != nil || len(c.check()) > 0 {
			return
		}
		v := varsOf(t)
		if v.Set("A", Value{Text: value}) != nil {
			return
		}
		first := c.Evaluate(v)
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", text, err)
		}
		var again Condition
		if err := json.Unmarshal(written, &again); err != nil {
			t.Fatalf("%q was written as %q: %v", text, written, err)
		}
		if second := again.Evaluate(v); second != first {
			t.Fatalf("%q: %+v, written and read again %+v", text, first, second)
		}
		if not := (&Condition{Not: &c}).Evaluate(v); not.Met == first.Met {
			t.Fatalf("%q and its opposite are both %v", text, not.Met)
		}
	})
}
