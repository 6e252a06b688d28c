package wim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

// piped is the beginning of an image file for pipes.
func piped(description string, images uint32, change func(b []byte)) []byte {
	le := binary.LittleEndian
	b := make([]byte, headerSize+pipedResource)
	copy(b, PipableMagic)
	le.PutUint32(b[8:], headerSize)
	le.PutUint32(b[atImages:], images)
	text := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(description)) {
		text = le.AppendUint16(text, u)
	}
	le.PutUint64(b[headerSize:], pipedMagic)
	le.PutUint64(b[headerSize+8:], uint64(len(text)))
	if change != nil {
		change(b)
	}
	return append(append(b, text...), "what follows"...)
}

const two = `<WIM><IMAGE INDEX="1"><NAME>Windows 11 Home</NAME></IMAGE><IMAGE INDEX="2"><NAME>Windows 11 Pro</NAME><TOTALBYTES>4096</TOTALBYTES><WINDOWS><ARCH>9</ARCH>` +
	`<EDITIONID>Professional</EDITIONID><INSTALLATIONTYPE>Client</INSTALLATIONTYPE><LANGUAGES><LANGUAGE>en-US</LANGUAGE><LANGUAGE>de-DE</LANGUAGE><DEFAULT>de-DE</DEFAULT></LANGUAGES>` +
	`<VERSION><MAJOR>10</MAJOR><MINOR>0</MINOR><BUILD>26100</BUILD></VERSION></WINDOWS></IMAGE></WIM>`

func TestDescriptionComesFirstInAPipe(t *testing.T) {
	b := piped(two, 2, nil)
	info, rest, err := ReadPipable(iotest.OneByteReader(bytes.NewReader(b)))
	if err != nil || len(info.Images) != 2 {
		t.Fatalf("%+v, %v", info, err)
	}
	i := info.Images[1]
	if i.Name != "Windows 11 Pro" || !i.Windows || i.Architecture != "x64" || i.Language != "de-DE" || i.Bytes != 4096 || i.Product() != "Windows 11" || info.Images[0].Windows {
		t.Errorf("%+v", i)
	}
	if all, err := io.ReadAll(rest); err != nil || !bytes.Equal(all, b) {
		t.Errorf("the stream does not begin anew: %d bytes of %d, %v", len(all), len(b), err)
	}
}

func TestProductsByTheirBuilds(t *testing.T) {
	for _, c := range []struct{ version, installation, want string }{
		{"10.0.19045", "Client", "Windows 10"}, {"10.0.22000.1", "Client", "Windows 11"}, {"10.0.26100", "Server Core", "Windows Server"}, {"6.1.7601", "Client", "Windows"}, {"", "", "Windows"},
	} {
		if got := (Image{Version: c.version, Installation: c.installation}).Product(); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.version, c.installation, got, c.want)
		}
	}
}

// What wimlib writes is read.
func TestDescriptionOfARealPipable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.wim")
	if err := os.MkdirAll(filepath.Join(dir, "tree/Windows"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("wimlib-imagex", "capture", filepath.Join(dir, "tree"), file, "One", "--pipable", "--image-property=WINDOWS/ARCH=12").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _, err := ReadPipable(f)
	if err != nil || len(info.Images) != 1 || info.Images[0].Name != "One" || info.Images[0].Architecture != "arm64" {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestStreamsThatAreNoPipables(t *testing.T) {
	le := binary.LittleEndian
	broken := errors.New("the line is cut")
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"another file":   {strings.NewReader(strings.Repeat("x", 4096)), ErrNotPipable},
		"an ordinary":    {bytes.NewReader(piped(two, 2, func(b []byte) { copy(b, "MSWIM\x00\x00\x00") })), ErrNotPipable},
		"empty":          {strings.NewReader(""), ErrDamaged},
		"cut":            {bytes.NewReader(piped(two, 2, nil)[:400]), ErrDamaged},
		"huge":           {bytes.NewReader(piped(two, 2, func(b []byte) { le.PutUint64(b[headerSize+8:], 1<<40) })), ErrDamaged},
		"compressed":     {bytes.NewReader(piped(two, 2, func(b []byte) { b[headerSize+36] = flagCompressed })), ErrDamaged},
		"other magic":    {bytes.NewReader(piped(two, 2, func(b []byte) { b[headerSize] = 0 })), ErrDamaged},
		"one more image": {bytes.NewReader(piped(two, 3, nil)), ErrDamaged},
		"no XML":         {bytes.NewReader(piped("<WIM", 1, nil)), ErrDamaged},
		"a broken line":  {io.MultiReader(bytes.NewReader(piped(two, 2, nil)[:300]), iotest.ErrReader(broken)), broken},
	} {
		if _, _, err := ReadPipable(c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzReadPipable(f *testing.F) {
	f.Add(piped(two, 2, nil))
	f.Add(piped("<WIM></WIM>", 1, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, rest, err := ReadPipable(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, i := range info.Images {
			if strings.ContainsAny(i.Name+i.Product()+i.Language, "\n\x1b\x00") {
				t.Errorf("%+v is not harmless text", i)
			}
		}
		if all, err := io.ReadAll(rest); err != nil || !bytes.Equal(all, b) {
			t.Error("the stream does not begin anew")
		}
	})
}
