package tasksequence

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func set(t testing.TB, v *Variables, name string, value Value) {
	t.Helper()
	if err := v.SetSystem(name, value); err != nil {
		t.Fatal(err)
	}
}

func varsOf(t testing.TB, pairs ...string) *Variables {
	t.Helper()
	v := NewVariables()
	for i := 0; i < len(pairs); i += 2 {
		set(t, v, pairs[i], Value{Text: pairs[i+1]})
	}
	return v
}

func TestNamesIgnoreCase(t *testing.T) {
	v := varsOf(t, "ComputerName", "PC1")
	set(t, v, "COMPUTERNAME", Value{Text: "PC2"})
	if got := v.Text("computername"); got != "PC2" || v.Len() != 1 {
		t.Errorf("%q in %d variables", got, v.Len())
	}
	for name := range v.All() {
		if name != "ComputerName" {
			t.Errorf("the spelling became %q", name)
		}
	}
}

func TestReadOnlyNames(t *testing.T) {
	v := NewVariables()
	if err := v.Set("_Model", Value{Text: "x"}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("got %v", err)
	}
	set(t, v, "_Model", Value{Text: "y"})
	if v.Text("_model") != "y" {
		t.Error("the product cannot set it")
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"A", "_x", "a.b-c_9", strings.Repeat("n", MaxVariableName), "_CONTENT-DriverPack"} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "1a", "-a", "a b", "a%", "ä", "a\n", strings.Repeat("n", MaxVariableName+1)} {
		if CheckName(bad) == nil || NewVariables().Set(bad, Value{}) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestLimits(t *testing.T) {
	v := NewVariables()
	if err := v.Set("Big", Value{Text: strings.Repeat("x", 1<<20)}); !errors.Is(err, ErrLimit) {
		t.Errorf("1 MB: %v", err)
	}
	if err := v.Set("Escaped", Value{Text: strings.Repeat("\x01", MaxVariableValue/3)}); !errors.Is(err, ErrLimit) {
		t.Errorf("what grows in JSON: %v", err)
	}
	full := 0
	for i := range 100 {
		if err := v.Set(fmt.Sprintf("V%d", i), Value{Text: strings.Repeat("x", MaxVariableValue-2)}); err != nil {
			full = i
			break
		}
	}
	if full != MaxVariableBytes/MaxVariableValue {
		t.Errorf("%d large values fit", full)
	}
	if err := v.Set("V0", Value{Text: "small"}); err != nil {
		t.Errorf("making one smaller: %v", err)
	}
	if err := v.Set("More", Value{Text: strings.Repeat("x", 60_000)}); err != nil {
		t.Errorf("using what became free: %v", err)
	}

	many := NewVariables()
	for i := range MaxVariables {
		set(t, many, fmt.Sprintf("V%d", i), Value{})
	}
	if err := many.Set("OneMore", Value{}); !errors.Is(err, ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
	if err := many.Set("V7", Value{Text: "x"}); err != nil {
		t.Errorf("changing one of them: %v", err)
	}
}

func TestWhatWasSecretStaysSecret(t *testing.T) {
	v := NewVariables()
	set(t, v, "P", Value{Text: "one", Secret: true})
	set(t, v, "p", Value{Text: "two"})
	if value, _ := v.Get("P"); !value.Secret || value.Text != "two" {
		t.Errorf("%+v", value)
	}
	if got := v.Mask("one two three"); got != "one *** three" {
		t.Errorf("masked: %q", got)
	}
}

func TestChangesAreTakenOnce(t *testing.T) {
	v := varsOf(t, "B", "1", "a", "1")
	if got := v.TakeChanges(); !slices.Equal(got, []string{"a", "B"}) {
		t.Errorf("at first %v", got)
	}
	set(t, v, "b", Value{Text: "1"}) // as before
	if got := v.TakeChanges(); len(got) != 0 {
		t.Errorf("unchanged, yet %v", got)
	}
	set(t, v, "b", Value{Text: "2"})
	if got := v.TakeChanges(); !slices.Equal(got, []string{"B"}) {
		t.Errorf("changed: %v", got)
	}
}

func TestScopes(t *testing.T) {
	v := varsOf(t, "Command", "global", "X", "1")
	scope := v.Scope(map[string]Value{"command": {Text: "private", Secret: true}})
	set(t, scope, "X", Value{Text: "2"})
	set(t, scope, "Command", Value{Text: "changed"})
	if got := scope.Text("COMMAND") + v.Text("X") + v.Text("Command"); got != "private2changed" {
		t.Errorf("got %q", got)
	}
	if got := scope.Mask("private"); got != Masked {
		t.Errorf("a private secret shows: %q", got)
	}
	if names := slices.Collect(maps.Keys(maps.Collect(scope.All()))); len(names) != 2 {
		t.Errorf("a scope shows %v", names)
	}
}

func TestCallersCannotChangeWhatIsKept(t *testing.T) {
	list := []string{"a", "b"}
	v := NewVariables()
	set(t, v, "L", Value{List: list})
	list[0] = "x"
	got, _ := v.Get("L")
	got.List[1] = "y"
	clone := v.Clone()
	set(t, clone, "L", Value{Text: "z"})
	if again := v.Text("L"); again != "a,b" {
		t.Errorf("kept is %q", again)
	}
}

func TestExpand(t *testing.T) {
	v := varsOf(t, "Name", "PC1", "Ref", "%Name%", "Empty", "")
	set(t, v, "List", Value{List: []string{"a", "b"}})
	for text, want := range map[string]string{
		"plain":                              "plain",
		"%name%":                             "PC1",
		"<%NAME%-%Name%>":                    "<PC1-PC1>",
		"%List%":                             "a,b",
		"%%":                                 "%",
		"100%":                               "100%",
		"100%% %Name%%%":                     "100% PC1%",
		"%%Name%%":                           "%Name%",
		"%Unknown% %Name%":                   "%Unknown% PC1",
		"%a b% %Name%":                       "%a b% PC1",
		"%Ref%":                              "%Name%", // values are not looked at again
		"[%Empty%]":                          "[]",
		"%":                                  "%",
		"%%%":                                "%%",
		"%Name":                              "%Name",
		"50% of %Name%":                      "50% of PC1",
		"%é% %Name%":                         "%é% PC1",
		"date +%Y%m%d %Name%":                "date +%Y%m%d PC1",
		"%" + strings.Repeat("x", 200) + "%": "%" + strings.Repeat("x", 200) + "%",
	} {
		if got, err := v.Expand(text); err != nil || got != want {
			t.Errorf("%q became %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestExpandIsBounded(t *testing.T) {
	v := varsOf(t, "Big", strings.Repeat("x", 60_000))
	if _, err := v.Expand(strings.Repeat("%Big%", 18)); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v", err)
	}
	if _, err := v.Expand(strings.Repeat("x", MaxExpanded) + "%%"); !errors.Is(err, ErrTooLong) {
		t.Errorf("a long text: %v", err)
	}
}

func TestMasker(t *testing.T) {
	for _, test := range []struct{ secrets, text, want string }{
		{"abc", "xabcx abc", "x***x ***"},
		{"", "nothing", "nothing"},
		{"abc cdef", "abcdef", "***"},       // they overlap
		{"ab abcd", "abcd ab", "*** ***"},   // one begins the other
		{"aa", "xaaax", "x***x"},            // it overlaps itself
		{"ab", "abab", "***"},               // it touches itself
		{"aa", "aaaa b aa", "*** b ***"},    // they touch
		{"p*ss ***", "p*ss ***", "*** ***"}, // they look like the mask
		{"ü€", "xü€y", "x***y"},
	} {
		if got := NewMasker(strings.Fields(test.secrets)).Mask(test.text); got != test.want {
			t.Errorf("%q without %q is %q, want %q", test.text, test.secrets, got, test.want)
		}
	}
	key := NewMasker([]string{"-----BEGIN\r\nline two\n\nline three\n", "", "  "})
	if got := key.Mask("a line two b"); got != "a *** b" {
		t.Errorf("one line of a secret of several: %q", got)
	}
	if got := key.With([]string{"more"}).Mask("more line three"); got != "*** ***" {
		t.Errorf("with more: %q", got)
	}
}

func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"%A%", "%%", "%", "%A", "a%A%b%B%%C%", "%_x%", "%%A%%", "%é%", "100%", "%A%%A%"} {
		f.Add(seed, "value", "100% %A%")
	}
	f.Fuzz(func(t *testing.T, text, a, b string) {
		v := NewVariables()
		if v.Set("A", Value{Text: a}) != nil || v.Set("B", Value{Text: b, Secret: true}) != nil {
			return
		}
		out, err := v.Expand(text)
		if err != nil {
			return
		}
		if !strings.Contains(text, "%") && out != text {
			t.Fatalf("%q became %q without a percent sign", text, out)
		}
		escaped := strings.ReplaceAll(text, "%", "%%")
		if back, err := v.Expand(escaped); err == nil && back != text {
			t.Fatalf("%q, escaped, became %q", text, back)
		}
		if plain, err := NewVariables().Expand(text); err != nil || len(plain) > len(text) {
			t.Fatalf("%q without variables became %q", text, plain)
		}
		masked := v.Mask(out)
		if secret := v.Text("B"); len(secret) > 3 && strings.TrimSpace(secret) != "" && !strings.Contains(secret, "*") && strings.Contains(masked, secret) {
			t.Fatalf("%q shows the secret %q in %q", out, secret, masked)
		}
	})
}
