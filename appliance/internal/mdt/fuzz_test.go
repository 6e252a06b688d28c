package mdt

import (
	"os"
	"path/filepath"
	"testing"

	ts "slipway/tasksequence"
)

// FuzzINI reads whatever may stand in an ini file: each line is reported, and the rules
// are a valid task sequence or none.
func FuzzINI(f *testing.F) {
	for _, name := range []string{"CustomSettings.ini", "Bootstrap.ini"} {
		data, err := os.ReadFile(filepath.Join("testdata/share/Control", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("[Settings]\nPriority=A,B\n[A]\nSubsection=%X%-%Y%\n[b-c]\nSubsection=A"))
	f.Fuzz(func(t *testing.T, data []byte) {
		im := &importer{catalogue: ts.BuiltinCatalogue(), compared: map[string]bool{}}
		ini, err := parseINI("x.ini", data)
		if err != nil {
			return
		}
		im.inis = append(im.inis, ini)
		b := &ruleBook{im: im, ini: ini, visited: map[string]bool{}}
		nodes := b.priority()
		im.write()
		if len(nodes) == 0 {
			return
		}
		s := ts.Sequence{Format: ts.Format, ID: RulesID, Status: ts.InDevelopment, Name: "Rules", Steps: nodes}
		ts.AssignIDs(&s)
		if problems := ts.Check(s, im.catalogue); len(problems) > 0 {
			t.Fatal(problems)
		}
	})
}

// FuzzSequence reads whatever may stand in a ts.xml: every element is reported, and what
// comes out is valid or refused.
func FuzzSequence(f *testing.F) {
	for _, name := range []string{"W11-ENT", "CAPTURE"} {
		data, err := os.ReadFile(filepath.Join("testdata/share/Control", name, "ts.xml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	dir := f.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "Control"), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, err := parseXML(data)
		if err != nil {
			return
		}
		s, err := openShare(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.root.Close()
		im := &importer{share: s, catalogue: ts.BuiltinCatalogue(), taken: map[string]bool{}, named: map[string]bool{}, compared: map[string]bool{},
			systems: map[string]system{}, apps: map[string]*app{}, scripts: map[string]string{}}
		im.trees = append(im.trees, treeFile{"ts.xml", root})
		im.sequence(Sequence{MDT: "X", ID: "mdt-x", Name: "X"}, "", root, map[string]string{"x": "mdt-x"})
		im.settle(&im.sequences[0], ts.Sources{Catalogue: im.catalogue, Content: im.content, Sequences: im.lookup})
		if got := im.sequences[0]; !got.Refused {
			if problems := ts.Validate(got.Document, ts.Sources{Catalogue: im.catalogue, Content: im.content, Sequences: im.lookup}).Sure(); len(problems) > 0 {
				t.Fatal(problems)
			}
		}
		if report := im.write(); len(report.Lines) == 0 {
			t.Fatal("nothing is reported")
		}
	})
}
