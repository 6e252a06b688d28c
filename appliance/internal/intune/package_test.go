package intune

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func agent() Agent {
	return Agent{Program: bytes.Repeat([]byte("MZ program "), 5000), Config: []byte(`{"Server":"192.0.2.1"}`)}
}

func written(t *testing.T, random io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := agent().Write(&b, random); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), args[0], args[1:]...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// 7-Zip and OpenSSL read a package back.
func TestOthersReadAPackage(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.intunewin"), written(t, rand.Reader), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "7z", "x", "a.intunewin")
	var about struct {
		Size       int    `xml:"UnencryptedContentSize"`
		FileName   string `xml:"FileName"`
		SetupFile  string `xml:"SetupFile"`
		Encryption struct {
			EncryptionKey, MacKey, InitializationVector, Mac, ProfileIdentifier, FileDigest, FileDigestAlgorithm string
		} `xml:"EncryptionInfo"`
	}
	if err := xml.Unmarshal(file(t, filepath.Join(dir, "IntuneWinPackage/Metadata/Detection.xml")), &about); err != nil {
		t.Fatal(err)
	}
	e := about.Encryption
	if about.SetupFile != "install.cmd" || about.FileName != "IntunePackage.intunewin" || e.ProfileIdentifier != "ProfileVersion1" || e.FileDigestAlgorithm != "SHA256" {
		t.Errorf("%+v", about)
	}
	inHex := func(text string) string {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(b)
	}
	sealed := file(t, filepath.Join(dir, "IntuneWinPackage/Contents", about.FileName))
	for name, part := range map[string][]byte{"maced": sealed[32:], "cipher": sealed[48:]} {
		if err := os.WriteFile(filepath.Join(dir, name), part, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mac := run(t, dir, "openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:"+inHex(e.MacKey), "maced")
	if !strings.HasSuffix(strings.TrimSpace(mac), inHex(e.Mac)) || hex.EncodeToString(sealed[:32]) != inHex(e.Mac) || hex.EncodeToString(sealed[32:48]) != inHex(e.InitializationVector) {
		t.Errorf("the MAC is %s", mac)
	}
	run(t, dir, "openssl", "enc", "-d", "-aes-256-cbc", "-K", inHex(e.EncryptionKey), "-iv", inHex(e.InitializationVector), "-in", "cipher", "-out", "plain.zip")
	if got := run(t, dir, "openssl", "dgst", "-sha256", "plain.zip"); !strings.HasSuffix(strings.TrimSpace(got), inHex(e.FileDigest)) {
		t.Errorf("the digest is %s", got)
	}
	if n := len(file(t, filepath.Join(dir, "plain.zip"))); n != about.Size {
		t.Errorf("%d bytes, not %s", n, strconv.Itoa(about.Size))
	}
	run(t, dir, "7z", "x", "-ofiles", "plain.zip")
	if !bytes.Equal(file(t, filepath.Join(dir, "files/slipway-agent.exe")), agent().Program) || !bytes.Equal(file(t, filepath.Join(dir, "files/agent.json")), agent().Config) {
		t.Error("program or configuration are not what they were")
	}
	for _, name := range []string{"install.cmd", "detect.ps1"} {
		if !strings.Contains(string(file(t, filepath.Join(dir, "files", name))), agent().ID()) {
			t.Errorf("%s does not name the package", name)
		}
	}
}

// constant is a source of keys that are always the same.
type constant struct{}

func (constant) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTheSameFilesMakeTheSameBytes(t *testing.T) {
	if !bytes.Equal(written(t, constant{}), written(t, constant{})) {
		t.Error("they do not")
	}
	a, b := written(t, rand.Reader), written(t, rand.Reader)
	if bytes.Equal(a, b) || len(a) != len(b) {
		t.Error("the keys are not random, or more than the keys is")
	}
	other := agent()
	other.Config = []byte("{}")
	if other.ID() == agent().ID() {
		t.Error("another configuration is the same package")
	}
	if _, err := zip.NewReader(bytes.NewReader(a), int64(len(a))); err != nil {
		t.Error(err)
	}
}

func TestWithoutRandomThereIsNoPackage(t *testing.T) {
	if err := agent().Write(io.Discard, strings.NewReader("too short")); err == nil {
		t.Error("keys were made of nothing")
	}
}
