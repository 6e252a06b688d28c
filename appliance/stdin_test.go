package main

import (
	"strings"
	"testing"
)

// What is read of standard input is taken whole or not at all.
func TestSecretsAreNeverCut(t *testing.T) {
	for size, want := range map[int]string{1: "", 5000: "", maxSecretLine: "", maxSecretLine + 1: "longer than 64 KiB", 2 * maxSecretLine: "longer than 64 KiB", 0: "no passcode on standard input"} {
		a := &app{streams: streams{in: strings.NewReader(strings.Repeat("x", size) + "\r\nanother line\n")}}
		text, err := a.readSecret("Passcode")
		if want == "" && (err != nil || len(text) != size) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d bytes: got %d, %v", size, len(text), err)
		}
	}
}

// @- takes all lines of a certificate.
func TestCertificatesFromStandardInput(t *testing.T) {
	r := start(t, t.TempDir())
	pem := r.must("", "ca", "show")
	r.must(pem, "auth", "set", "certificate.ca=@-")
	if out := r.must("", "auth", "show"); !strings.Contains(out, "1 PEM blocks") {
		t.Errorf("it has %s", out)
	}
	if code, _, said := r.cli("", "auth", "set", "certificate.ca=@-"); code != exitFailed || !strings.Contains(said, "no certificate.ca on standard input") {
		t.Errorf("nothing on standard input: exit %d, %s", code, said)
	}
}
