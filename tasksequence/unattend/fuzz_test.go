package unattend

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzMerge merges into whatever can be read: what is read comes out as it went in, a
// merge loses none of its tags, comments and instructions, and a second one changes nothing.
func FuzzMerge(f *testing.F) {
	for _, name := range []string{"given-sim.xml", "given-prefixed.xml", "new-amd64.xml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		before := file.Bytes()
		if len(data) > 2 && data[0] == '<' && data[1] != 0 && !bytes.Equal(before, data) {
			t.Fatalf("read and written it is another file: %q", before)
		}
		file.Check()
		kept := pieces(file)
		if _, err := file.Merge(everything()); err != nil {
			if !bytes.Equal(before, file.Bytes()) {
				t.Fatal("a refused merge changed the file")
			}
			return
		}
		once := file.Bytes()
		wellFormedOrSkip(t, before, once)
		now, i := pieces(file), 0
		for _, piece := range now {
			if i < len(kept) && piece == kept[i] {
				i++
			}
		}
		if i != len(kept) {
			t.Fatalf("lost or moved: %s\nin %s", kept[i], once)
		}
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("the outcome cannot be read: %v\n%s", err, once)
		}
		if changes, err := again.Merge(everything()); err != nil || len(changes) > 0 || !bytes.Equal(once, again.Bytes()) {
			t.Fatalf("the second merge: %v, %v", changes, err)
		}
		if again.Masked() == nil {
			t.Fatal("nothing can be shown")
		}
	})
}

// pieces are the start tags, comments and instructions of a file.
func pieces(f *File) (list []string) {
	for _, n := range f.document.descend(nil) {
		if !n.isText && n.parent != nil {
			list = append(list, strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(string(n.raw), "/>"), ">"), " \t\r\n"))
		}
	}
	return list
}

// wellFormedOrSkip demands that another reader takes the outcome when it took the file.
func wellFormedOrSkip(t *testing.T, before, after []byte) {
	t.Helper()
	for _, text := range [][]byte{before, after} {
		d := xml.NewDecoder(bytes.NewReader(text))
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				if bytes.Equal(text, before) {
					return
				}
				t.Fatalf("%v in\n%s", err, after)
			}
		}
	}
}
