package hive

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var fixed = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// hivex lets hivexml, a reader that is not ours, read a hive.
func hivex(t *testing.T, content []byte) node {
	t.Helper()
	p := filepath.Join(t.TempDir(), "hive")
	if err := os.WriteFile(p, content, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("hivexml", p).CombinedOutput()
	if err != nil {
		t.Fatalf("hivexml: %v: %s", err, out)
	}
	var doc struct {
		Root node `xml:"node"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		t.Fatalf("hivexml wrote %q: %v", out, err)
	}
	return doc.Root
}

// node is a key as hivexml writes it.
type node struct {
	Name   string  `xml:"name,attr"`
	Root   string  `xml:"root,attr"`
	Values []value `xml:"value"`
	Nodes  []node  `xml:"node"`
}

type value struct {
	Type     string   `xml:"type,attr"`
	Key      string   `xml:"key,attr"`
	Default  string   `xml:"default,attr"`
	Value    string   `xml:"value,attr"`
	Encoding string   `xml:"encoding,attr"`
	Strings  []string `xml:"string"`
}

func (v value) text() string {
	if v.Encoding == "base64" {
		b, _ := base64.StdEncoding.DecodeString(v.Value)
		return string(b)
	}
	return v.Value
}

// lines writes a tree as lines, for comparison.
func (n node) lines(path string) (out []string) {
	for _, v := range n.Values {
		out = append(out, fmt.Sprintf("%s %q %s %q %q", path, v.Key, v.Type, v.text(), v.Strings))
	}
	for _, sub := range n.Nodes {
		out = append(append(out, path+`\`+sub.Name), sub.lines(path+`\`+sub.Name)...)
	}
	return out
}

func TestAnotherReaderFindsAllKeysAndValues(t *testing.T) {
	root := &Key{}
	root.Set("", String("the default"))
	k := root.Sub(`First\Second key\{third}`)
	k.Set("text", String("Grüße"))
	k.Set("many", Strings("one", "two", "three"))
	k.Set("number", Uint32(0xdeadbeef))
	k.Set("none", Bytes(nil))
	k.Set("four", Bytes([]byte("1234")))
	k.Set("large", Bytes(bytes.Repeat([]byte("abcdefgh"), 2000)))
	root.Sub("empty")
	got := strings.Join(hivex(t, mustWrite(t, root)).lines(""), "\n")
	want := strings.Join([]string{
		` "" string "the default" []`,
		`\empty`, `\First`, `\First\Second key`, `\First\Second key\{third}`,
		`\First\Second key\{third} "four" binary "1234" []`,
		`\First\Second key\{third} "large" binary "` + strings.Repeat("abcdefgh", 2000) + `" []`,
		`\First\Second key\{third} "many" string-list "" ["one" "two" "three" ""]`, // hivexml shows the end of a list
		`\First\Second key\{third} "none" binary "" []`,
		`\First\Second key\{third} "number" int32 "-559038737" []`,
		`\First\Second key\{third} "text" string "Grüße" []`,
	}, "\n")
	short := strings.NewReplacer(strings.Repeat("abcdefgh", 2000), "(the large value)")
	if got, want := short.Replace(got), short.Replace(want); got != want {
		t.Errorf("read back:\n%s\nwant:\n%s", got, want)
	}
}

func mustWrite(t testing.TB, root *Key) []byte {
	t.Helper()
	b, err := Write("ROOT", root, fixed)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Random trees are read back whole, and written again give the same bytes.
func TestRandomTrees(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 5 {
		root, keys, values := &Key{}, 0, 0
		for i := range 1 + r.IntN(400) {
			path := fmt.Sprintf("k%d", r.IntN(40))
			for range r.IntN(4) {
				path += fmt.Sprintf(`\s%d`, r.IntN(6))
			}
			data := make([]byte, r.IntN(300))
			for j := range data {
				data[j] = 'a' + byte(r.IntN(26))
			}
			root.Sub(path).Set(fmt.Sprintf("v%d", i), Bytes(data))
			values++
		}
		b := mustWrite(t, root)
		if again := mustWrite(t, root); !bytes.Equal(b, again) {
			t.Fatal("the same tree gave other bytes")
		}
		if len(b)%4096 != 0 {
			t.Errorf("%d bytes: not whole pages", len(b))
		}
		keys = int(count(root)) - 1
		if got := hivex(t, b).lines(""); len(got) != keys+values {
			t.Errorf("%d lines read back, want %d keys and %d values", len(got), keys, values)
		}
	}
}

func TestWhatTheFormatDoesNotHoldIsRefused(t *testing.T) {
	many := &Key{}
	for i := range maxSubkeys + 1 {
		many.Sub(fmt.Sprint("k", i))
	}
	twice := &Key{Keys: map[string]*Key{"Name": {}, "nAME": {}}}
	large := &Key{Values: map[string]Value{"x": Bytes(make([]byte, maxData+1))}}
	odd := &Key{Keys: map[string]*Key{`a\b`: {}}}
	long := &Key{Keys: map[string]*Key{strings.Repeat("x", 256): {}}}
	for name, k := range map[string]*Key{"many": many, "twice": twice, "large": large, "odd": odd, "long": long} {
		if _, err := Write("ROOT", k, fixed); !errors.Is(err, ErrUnwritable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
