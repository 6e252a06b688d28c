package wire

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestManifestsAreChecked(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	good := func() ContentManifest {
		return ContentManifest{Size: ChunkSize + 3, Files: []ContentFile{
			{Path: "a/b.bin", Mode: 0o644, Size: ChunkSize + 1, SHA256: sum, Chunks: []string{sum, sum}},
			{Path: "c", Size: 2, SHA256: sum}}}
	}
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(m *ContentManifest){
		"leaves":        func(m *ContentManifest) { m.Files[0].Path = "../b" },
		"absolute":      func(m *ContentManifest) { m.Files[0].Path = "/b" },
		"inner dots":    func(m *ContentManifest) { m.Files[0].Path = "a/../../b" },
		"dot":           func(m *ContentManifest) { m.Files[0].Path = "." },
		"empty":         func(m *ContentManifest) { m.Files[0].Path = "" },
		"zero byte":     func(m *ContentManifest) { m.Files[0].Path = "a\x00" },
		"twice":         func(m *ContentManifest) { m.Files[1].Path = "a/b.bin" },
		"file, folder":  func(m *ContentManifest) { m.Files[1].Path = "a" },
		"pieces":        func(m *ContentManifest) { m.Files[0].Chunks = m.Files[0].Chunks[:1] },
		"no hash":       func(m *ContentManifest) { m.Files[1].SHA256 = "x" },
		"upper case":    func(m *ContentManifest) { m.Files[1].SHA256 = strings.ToUpper(sum) },
		"negative":      func(m *ContentManifest) { m.Files[1].Size = -2 },
		"set-user mode": func(m *ContentManifest) { m.Files[1].Mode = 0o4755 },
		"sum of sizes":  func(m *ContentManifest) { m.Size++ },
	} {
		m := good()
		spoil(&m)
		if m.Check() == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

func FuzzContentManifest(f *testing.F) {
	f.Add([]byte(`{"size":1,"files":[{"path":"a","size":1,"sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m ContentManifest
		if json.Unmarshal(text, &m) != nil || m.Check() != nil {
			return
		}
		for _, file := range m.Files {
			if strings.HasPrefix(file.Path, "/") || strings.Contains("/"+file.Path+"/", "/../") || file.Size < 0 {
				t.Errorf("accepted %q of %d bytes", file.Path, file.Size)
			}
		}
	})
}
