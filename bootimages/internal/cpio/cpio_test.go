package cpio

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

func write(t *testing.T, w *Writer, h Header, content string) {
	t.Helper()
	h.Size = int64(len(content))
	if err := w.WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	write(t, w, Header{Name: "dev", Mode: TypeDir | 0o755}, "")
	write(t, w, Header{Name: "dev/console", Mode: TypeChar | 0o600, Major: 5, Minor: 1}, "")
	for n := range 5 { // every padding
		write(t, w, Header{Name: "f" + strings.Repeat("x", n), Mode: TypeRegular | 0o644}, strings.Repeat("y", n))
	}
	write(t, w, Header{Name: "sh", Mode: TypeLink | 0o777}, "busybox")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if b.Len()%4 != 0 {
		t.Errorf("archive of %d bytes: the next one would not be aligned", b.Len())
	}
	var got []string
	r := NewReader(&b)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %o %d:%d %s", h.Name, h.Mode, h.Major, h.Minor, content))
	}
	want := "dev 40755 0:0 |dev/console 20600 5:1 |f 100644 0:0 |fx 100644 0:0 y|fxx 100644 0:0 yy|fxxx 100644 0:0 yyy|fxxxx 100644 0:0 yyyy|sh 120777 0:0 busybox"
	if strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
}

func TestWriterRefusesWrongUse(t *testing.T) {
	for name, use := range map[string]func(w *Writer) error{
		"no name":         func(w *Writer) error { return w.WriteHeader(Header{}) },
		"trailer as name": func(w *Writer) error { return w.WriteHeader(Header{Name: "TRAILER!!!"}) },
		"NUL in name":     func(w *Writer) error { return w.WriteHeader(Header{Name: "a\x00b"}) },
		"4 GiB":           func(w *Writer) error { return w.WriteHeader(Header{Name: "a", Size: 1 << 32}) },
		"too much": func(w *Writer) error {
			_ = w.WriteHeader(Header{Name: "a", Size: 1})
			_, err := w.Write([]byte("xy"))
			return err
		},
		"too little": func(w *Writer) error { _ = w.WriteHeader(Header{Name: "a", Size: 1}); return w.Close() },
		"next too soon": func(w *Writer) error {
			_ = w.WriteHeader(Header{Name: "a", Size: 1})
			return w.WriteHeader(Header{Name: "b"})
		},
	} {
		w := NewWriter(io.Discard)
		if use(w) == nil {
			t.Errorf("%s: accepted", name)
		}
		if w.Close() == nil {
			t.Errorf("%s: the error did not stick", name)
		}
	}
}

func FuzzReader(f *testing.F) {
	var b bytes.Buffer
	w := NewWriter(&b)
	_ = w.WriteHeader(Header{Name: "a", Mode: TypeRegular, Size: 3})
	_, _ = w.Write([]byte("xyz"))
	_ = w.Close()
	f.Add(b.Bytes())
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in))
		for range 1000 {
			h, err := r.Next()
			if err != nil {
				return
			}
			n, err := io.Copy(io.Discard, r)
			if err == nil && n != h.Size {
				t.Fatalf("%s: %d bytes instead of %d without an error", h.Name, n, h.Size)
			}
		}
	})
}
