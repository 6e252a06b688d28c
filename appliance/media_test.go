package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.Mode = 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, strings.Repeat("x", int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An export that is cut short, or names what is not below the folder, is an error.
func TestExtract(t *testing.T) {
	good := tarOf(t, tar.Header{Typeflag: tar.TypeDir, Name: "grub/"}, tar.Header{Typeflag: tar.TypeReg, Name: "grub/grub.cfg", Size: 700})
	broken := errors.New("broke off")
	tests := []struct {
		name    string
		archive []byte
		err     error
		ok      bool
	}{
		{"whole", good, nil, true},
		{"connection lost at the end", good, broken, false},
		{"connection lost", good[:900], broken, false},
		{"cut short", good[:900], nil, false},
		{"outside", tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "../evil", Size: 1}), nil, false},
		{"absolute", tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "/tmp/evil", Size: 1}), nil, false},
		{"link", tarOf(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc/passwd"}), nil, false},
		{"twice", tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 1}, tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 1}), nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			err := extract(dir, func(w io.Writer) error {
				if _, err := w.Write(tt.archive); err != nil {
					return err
				}
				return tt.err
			})
			if tt.ok != (err == nil) {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "grub", "grub.cfg")); tt.ok && (err != nil || len(got) != 700) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("%v hides %v", err, tt.err)
			}
		})
	}
}

// What cannot work is said before anything is built or asked for.
func TestMediaCalledWrongly(t *testing.T) {
	there := filepath.Join(t.TempDir(), "there.iso")
	if err := os.WriteFile(there, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, m := range []mediumRequest{{kind: "floppy", file: "x"}, {kind: "", file: "x"}, {kind: "iso", file: there}} {
		if err := m.check(); err == nil {
			t.Errorf("%+v was taken", m)
		}
	}
	for _, m := range []mediumRequest{{file: "x"}, {servers: []string{"192.0.2.1"}}, {kind: "iso", file: there}} {
		if err := mediumOfBuild(&m); err == nil {
			t.Errorf("build: %+v was taken", m)
		}
	}
	m := mediumRequest{kind: "usb"}
	if err := mediumOfBuild(&m); err != nil || m.file != "slipway-usb.img" {
		t.Errorf("%+v, %v", m, err)
	}
}
