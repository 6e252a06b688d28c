package mdt

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	ts "slipway/tasksequence"
)

var update = flag.Bool("update", false, "write the golden files anew")

// secrets are those of the test share.
var secrets = []string{"global-secret-77", "step-secret-88", "answer-secret-99", "admin-secret-11", "join-secret-22", "boot-secret-33", "orphan-secret-44",
	"settings-secret-55", "runas-secret-66", "comment-secret", "AAAAA-BBBBB", "YQBuAHMAdwBlAHIA"}

// copyShare copies the share of the tests, each file through change.
func copyShare(t *testing.T, change func(name string, data []byte) (string, []byte)) string {
	t.Helper()
	dir := t.TempDir()
	err := filepath.WalkDir("testdata/share", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, data := change(filepath.ToSlash(strings.TrimPrefix(path, "testdata/share/")), data)
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, dir string) Plan {
	t.Helper()
	plan, err := Read(dir, Options{Catalogue: catalogue(t)})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// catalogue are the step definitions as they once were, so that what the tests expect
// does not change with the steps of the product.
func catalogue(t *testing.T) *ts.Catalogue {
	t.Helper()
	data, err := os.ReadFile("testdata/definitions.json")
	if err != nil {
		t.Fatal(err)
	}
	var definitions []ts.Definition
	if err := json.Unmarshal(data, &definitions); err != nil {
		t.Fatal(err)
	}
	c, err := ts.NewCatalogue(definitions...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// documents are the sequences of a plan as JSON, one after the other.
func documents(t *testing.T, p Plan) string {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	for _, s := range append([]Sequence{*p.Rules}, p.Sequences...) {
		if err := e.Encode(s.Document); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not as it was (-update writes it anew):\n%s", name, got)
	}
}

func TestTheShareIsCarriedOverAsItWas(t *testing.T) {
	plan := read(t, "testdata/share")
	golden(t, "report.txt", plan.Report.Text(true))
	golden(t, "sequences.json", documents(t, plan))
	var items strings.Builder
	here, err := filepath.Abs("testdata/share")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range plan.Items {
		text, err := json.MarshalIndent(i, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&items, "%s\n%s\n", strings.ReplaceAll(string(text), here, "SHARE"), i.Data)
	}
	golden(t, "items.txt", items.String())
}

func TestEverySequenceIsValidAndInDevelopment(t *testing.T) {
	plan := read(t, "testdata/share")
	im := &importer{items: plan.Items, sequences: plan.Sequences, ruleBook: plan.Rules}
	for _, s := range append([]Sequence{*plan.Rules}, plan.Sequences...) {
		problems := ts.Validate(s.Document, ts.Sources{Catalogue: catalogue(t), Content: im.content, Sequences: im.lookup}).Sure()
		if len(problems) > 0 || s.Refused || s.Document.Status != ts.InDevelopment || s.Steps == 0 {
			t.Errorf("%s: %v, refused %v, %s", s.ID, problems, s.Refused, s.Document.Status)
		}
	}
	if w := plan.Sequences[0]; len(w.Problems) != 1 || !strings.Contains(w.Problems[0].Detail, "windows") {
		t.Errorf("the step that this version does not have is not listed: %v", w.Problems)
	}
}

// expected are the pieces of a file as another reader finds them.
func expected(t *testing.T, name string, data []byte) (places []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	type frame struct {
		path string
		seen map[string]int
	}
	stack := []frame{{"", map[string]int{}}}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return places
		}
		if err != nil {
			return []string{""} // the whole file is one piece
		}
		switch token := token.(type) {
		case xml.StartElement:
			top := stack[len(stack)-1]
			top.seen[token.Name.Local]++
			path := top.path + "/" + token.Name.Local
			if n := top.seen[token.Name.Local]; n > 1 {
				path += fmt.Sprintf("[%d]", n)
			}
			places = append(places, path)
			for _, a := range token.Attr {
				places = append(places, path+"/@"+a.Name.Local)
			}
			stack = append(stack, frame{path, map[string]int{}})
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
}

// TestEveryPieceIsInTheReport walks all there is in the share and looks for it in the
// report: each element and attribute, each line of an ini file, each other file.
func TestEveryPieceIsInTheReport(t *testing.T) {
	plan := read(t, "testdata/share")
	places, lines := map[string]bool{}, map[string]bool{}
	for _, l := range plan.Report.Lines {
		places[l.File+" "+l.Where] = true
		lines[fmt.Sprintf("%s:%d", l.File, l.Line)] = true
		if l.Detail == "" || l.Outcome == "" {
			t.Errorf("a line says nothing: %+v", l)
		}
		if l.Detail == unknown && !strings.Contains(l.Where, "odd") && !strings.Contains(l.Where, "colour") {
			t.Errorf("unknown: %+v", l)
		}
	}
	held := map[string]bool{}
	here, err := filepath.Abs("testdata/share")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range plan.Items {
		held[i.Path] = true
		for _, f := range i.Files {
			held[f.From] = true
		}
	}
	pieces := 0
	err = filepath.WalkDir(here, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(here, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch {
		case strings.HasSuffix(name, ".xml") && strings.HasPrefix(name, "Control/"):
			for _, place := range expected(t, name, data) {
				pieces++
				if !places[name+" "+place] {
					t.Errorf("%s %s is not in the report", name, place)
				}
			}
		case strings.HasSuffix(name, ".ini"):
			n := 0
			for line := range strings.Lines(string(data)) {
				n++
				if strings.TrimSpace(line) == "" {
					continue
				}
				pieces++
				if !lines[fmt.Sprintf("%s:%d", name, n)] {
					t.Errorf("%s line %d is not in the report", name, n)
				}
			}
		default:
			pieces++
			for at := path; ; at = filepath.Dir(at) {
				r, err := filepath.Rel(here, at)
				if err != nil {
					return err
				}
				if held[at] || places[filepath.ToSlash(r)+" "] {
					break
				}
				if at == here {
					t.Errorf("%s is neither in an item nor in the report", name)
					break
				}
			}
		}
		return nil
	})
	if err != nil || pieces < 500 {
		t.Errorf("%d pieces, %v", pieces, err)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	plan := read(t, "testdata/share")
	shown, err := json.Marshal(plan.Shown())
	if err != nil {
		t.Fatal(err)
	}
	seen := string(shown) + plan.Report.Text(true)
	for _, i := range plan.Items {
		seen += string(i.Data)
	}
	// In the documents they may stand in secret settings only: those are sealed.
	catalogue := catalogue(t)
	variables := map[string]string{}
	for _, s := range append([]Sequence{*plan.Rules}, plan.Sequences...) {
		masked, err := s.Document.MapSettings(func(x ts.Setting) (json.RawMessage, error) {
			if catalogue.SecretSetting(x.Node, x.Option) {
				variables[string(x.Node.Settings["VariableName"])] += string(x.Value)
				return json.RawMessage(`"***"`), nil
			}
			return x.Value, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(masked)
		if err != nil {
			t.Fatal(err)
		}
		seen += string(text)
	}
	for _, secret := range secrets {
		if strings.Contains(seen, secret) {
			t.Errorf("%s is shown: …%s…", secret, seen[max(strings.Index(seen, secret)-200, 0):strings.Index(seen, secret)])
		}
	}
	for name, secret := range map[string]string{"AdminPassword": "admin-secret-11", "DomainAdminPassword": "join-secret-22%off%", "UserPassword": "boot-secret-33",
		"VpnPassword": "step-secret-88", "ServicePassword": "global-secret-77", "ProductKey": "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"} {
		if !strings.Contains(variables[`"`+name+`"`], secret) {
			t.Errorf("%s is not the secret variable it was: %s", name, variables[`"`+name+`"`])
		}
	}
	if !strings.Contains(variables[`"AdminPassword"`], "answer-secret-99") {
		t.Error("the answer file's password is lost")
	}
}

// A secret that begins as another one does is replaced whole, and by its own variable.
func TestSecretsThatOverlap(t *testing.T) {
	w := &walker{im: &importer{}, extra: map[string]ts.Value{}}
	w.im.secrets = []string{"winter", "winter-2026!", "Secret1", "unused"}
	if got := w.hidden("net use winter-2026! & runas winter & echo Secret1"); got != "net use %MDTSecret2% & runas %MDTSecret1% & echo %MDTSecret3%" {
		t.Errorf("%q", got)
	}
	for name, want := range map[string]string{"MDTSecret1": "winter", "MDTSecret2": "winter-2026!", "MDTSecret3": "Secret1"} {
		if w.extra[name].Text != want || !w.extra[name].Secret {
			t.Errorf("%s is %+v", name, w.extra[name])
		}
	}
	if len(w.extra) != 3 {
		t.Errorf("%d variables", len(w.extra))
	}
}

// What only switches a page of the wizard off, or says yes or no, is no secret, though its
// name speaks of one: "YES" would be masked wherever it stands.
func TestSwitchesAreNoSecrets(t *testing.T) {
	plan := read(t, copyShare(t, func(name string, data []byte) (string, []byte) {
		switch {
		case strings.HasSuffix(name, "CustomSettings.ini"):
			data = bytes.Replace(data, []byte("SkipCapture=YES"), []byte("SkipCapture=YES\nSkipAdminPassword=YES\nSkipProductKey=Always\nPasswordNeverExpires=YES\nDocked=YES\nHint=Always"), 1)
		case strings.HasSuffix(name, "Unattend.xml"):
			data = bytes.Replace(data, []byte("<TimeZone>"), []byte("<ProductKey><Key>FFFFF-GGGGG-HHHHH-JJJJJ-KKKKK</Key><WillShowUI>OnError</WillShowUI></ProductKey><TimeZone>"), 1)
		}
		return name, data
	}))
	set := map[string]ts.Value{}
	var walk func(nodes []ts.Node)
	walk = func(nodes []ts.Node) {
		for _, n := range nodes {
			var name string
			var v ts.Value
			if n.Definition == ts.SetVariable && json.Unmarshal(n.Settings["VariableName"], &name) == nil && json.Unmarshal(n.Settings["VariableValue"], &v) == nil {
				v.Secret = string(n.Settings["Secret"]) == "true"
				set[name] = v
			}
			walk(n.Steps)
		}
	}
	walk(plan.Rules.Document.Steps)
	for name, want := range map[string]string{"Docked": "YES", "Hint": "Always"} {
		if set[name].Text != want || set[name].Secret {
			t.Errorf("%s is %+v", name, set[name])
		}
	}
	text := plan.Report.Text(true)
	for _, want := range []string{"SkipAdminPassword = YES", "WillShowUI = OnError", "/@continueOnError"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if strings.Contains(text, "FFFFF-GGGGG") {
		t.Error("the product key is shown")
	}
}

func TestOtherEncodingsAndCasesReadTheSame(t *testing.T) {
	plain := read(t, copyShare(t, func(name string, data []byte) (string, []byte) { return name, data }))
	other := read(t, copyShare(t, func(name string, data []byte) (string, []byte) {
		if strings.HasPrefix(name, "Control/") && (strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".ini")) {
			text := strings.ReplaceAll(strings.Replace(string(data), `encoding="utf-8"`, `encoding="utf-16"`, 1), "\n", "\r\n")
			wide := []byte{0xff, 0xfe}
			for _, u := range utf16.Encode([]rune(text)) {
				wide = append(wide, byte(u), byte(u>>8))
			}
			data = wide
		}
		return strings.ReplaceAll(strings.ReplaceAll(name, "Control/", "CONTROL/"), "ts.xml", "Ts.XML"), data
	}))
	if documents(t, plain) != documents(t, other) || len(plain.Items) != len(other.Items) {
		t.Error("the sequences or items differ")
	}
	if plain.Report.Carried != other.Report.Carried || plain.Report.Changed != other.Report.Changed || plain.Report.Left != other.Report.Left {
		t.Errorf("the reports differ: %d %d %d, %d %d %d", plain.Report.Carried, plain.Report.Changed, plain.Report.Left, other.Report.Carried, other.Report.Changed, other.Report.Left)
	}
	ansi := read(t, copyShare(t, func(name string, data []byte) (string, []byte) {
		if strings.HasSuffix(name, "CustomSettings.ini") {
			data = bytes.ReplaceAll(data, []byte("Department=Main"), []byte("Department=B\xfcro \x80"))
		}
		return name, data
	}))
	if !strings.Contains(documents(t, ansi), "Büro €") {
		t.Error("a file of the Windows code page is not read")
	}
}

func TestLinksAndPathsDoNotLeaveTheShare(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "install.wim"), []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := copyShare(t, func(name string, data []byte) (string, []byte) { return name, data })
	for link, target := range map[string]string{
		"Operating Systems/Windows 11/sources/install.wim": filepath.Join(outside, "install.wim"),
		"Applications/Helper":                              outside,
		"Out-of-Box Drivers/Net/e1d_1/link.sys":            filepath.Join(outside, "install.wim"),
		"Scripts/Tune.ps1":                                 filepath.Join(outside, "install.wim"),
		"Control/CustomSettings.ini":                       filepath.Join(outside, "install.wim"),
	} {
		at := filepath.Join(dir, filepath.FromSlash(link))
		if err := os.RemoveAll(at); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, at); err != nil {
			t.Fatal(err)
		}
	}
	plan := read(t, dir)
	text := plan.Report.Text(true)
	for _, want := range []string{`"Operating Systems/Windows 11/sources/install.wim" leads out of the share`, `"Applications/Helper" leads out of the share`,
		"link.sys\n  left     a link or special file", "Scripts/Tune.ps1", "Control/CustomSettings.ini\n  left     the file cannot be read"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	for _, i := range plan.Items {
		for _, f := range append(i.Files, File{From: i.Path}) {
			if f.From != "" && !strings.HasPrefix(f.From, dir) {
				t.Errorf("%s takes %s", i.Name, f.From)
			}
		}
	}
	if _, err := Read(outside, Options{}); !errors.Is(err, ErrNotAShare) {
		t.Errorf("a folder that is no share: %v", err)
	}
}

func TestEmptyAndHostileFiles(t *testing.T) {
	for name, content := range map[string]string{
		"document type": `<!DOCTYPE a><oss/>`,
		"entity":        `<oss>&b;</oss>`,
		"deep":          strings.Repeat("<a>", maxDepth+1) + strings.Repeat("</a>", maxDepth+1),
		"two roots":     `<oss/><oss/>`,
		"empty":         ``,
		"other root":    `<oss><os/><os guid="x"><ImageFile>\\server\share\x.wim</ImageFile></os></oss>`,
		"cut UTF-16":    "\xff\xfe<",
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "Control"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "Control", "OperatingSystems.xml"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		plan := read(t, dir)
		if (name == "document type" || name == "entity") && !strings.Contains(plan.Report.Text(true), name) {
			t.Errorf("%s: %s", name, plan.Report.Text(true))
		}
		if len(plan.Items) != 0 || plan.Report.Left == 0 {
			t.Errorf("%s: %d items, %d left", name, len(plan.Items), plan.Report.Left)
		}
	}
}

// TestSectionsThatLeadToOneAnother end, and lose nothing in silence.
func TestSectionsThatLeadToOneAnother(t *testing.T) {
	var text strings.Builder
	text.WriteString("[Settings]\nPriority=S0\n")
	for i := range 20 {
		fmt.Fprintf(&text, "[S%d]\nSubsection=%%X%%\nV%d=1\n", i, i)
	}
	ini, err := parseINI("x.ini", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	im := &importer{catalogue: catalogue(t), compared: map[string]bool{}}
	im.inis = append(im.inis, ini)
	b := &ruleBook{im: im, ini: ini, visited: map[string]bool{}}
	nodes := b.priority()
	n := 0
	count(nodes, &n)
	if n == 0 || n > maxRules {
		t.Errorf("%d steps", n)
	}
	if lines := im.write().Lines; len(lines) != 20*3+2 {
		t.Errorf("%d lines are reported", len(lines))
	}
}

// TestConditionsThatAreTooDeep switch off what they stand at.
func TestConditionsThatAreTooDeep(t *testing.T) {
	const expression = `<expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Variable">A</variable><variable name="Operator">equals</variable><variable name="Value">1</variable></expression>`
	deep := "<condition>" + strings.Repeat(`<operator type="and">`, 20) + expression + strings.Repeat(`</operator>`, 20) + "</condition>"
	dir := copyShare(t, func(name string, data []byte) (string, []byte) {
		if name == "Control/CAPTURE/ts.xml" {
			data = []byte(`<sequence><group name="G">` + deep + `<step name="S"><action>a</action></step></group><step name="T">` + deep + `<action>b</action></step></sequence>`)
		}
		return name, data
	})
	for _, s := range read(t, dir).Sequences {
		if s.MDT != "CAPTURE" {
			continue
		}
		steps := s.Document.Steps
		if s.Refused || len(steps) != 3 || !steps[1].Disabled || steps[1].Condition != nil || !steps[2].Disabled || len(s.Problems) < 2 {
			t.Errorf("%+v", s)
		}
	}
}

// Lists of very many entries are read in a time that grows with their size.
func TestLongLists(t *testing.T) {
	began := time.Now()
	root, err := parseXML([]byte("<drivers>" + strings.Repeat("\n  <d/>", 400_000) + "\n text </drivers>"))
	if took := time.Since(began); err != nil || len(root.children) != 400_000 || root.text != "text" || took > 30*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}
