package bootimages

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"slipway/fleet"
)

// goldenCA is a CA certificate whose key was thrown away: golden tests need fixed inputs.
const goldenCA = `-----BEGIN CERTIFICATE-----
MIIBVjCB/aADAgECAgEBMAoGCCqGSM49BAMCMBoxGDAWBgNVBAMTD1NsaXB3YXkg
dGVzdCBDQTAgFw0yMzExMTQyMjEzMjBaGA8yMDk2MTAwMjA3MDY0MFowGjEYMBYG
A1UEAxMPU2xpcHdheSB0ZXN0IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
483NecJV1+mMbrjsXnEGYzFxZvtfJ/I7In/ClHlOoak+L+rx7mVTTYp++r7oJ+MA
nLyJPs0i//ITJFwoHw2eVKMyMDAwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQU
YBS1Qr5wWiajoZD+Pe2rWn/OCjswCgYIKoZIzj0EAwIDSAAwRQIgIM18D49C/0sr
0lTIa7F2ACCFysv+YYWRqmhy5dlY/DACIQCCrccsmGODxY0Cc3/JAH73TvB1h1h5
UTCAz0HMPNu8oA==
-----END CERTIFICATE-----
`

// testPrivateKey has the form of a private key and is none.
const testPrivateKey = "-----BEGIN EC " + "PRIVATE KEY-----\nMHcCAQEE\n-----END EC " + "PRIVATE KEY-----\n"

// The hash of a small image built from fixed inputs. When it changes although the
// test's inputs did not, images of one id would differ: raise builderFormat, then
// run the test with SLIPWAY_UPDATE_GOLDEN=1.
func TestGoldenInitrd(t *testing.T) {
	b, o := small(t)
	t.Setenv("PATH", t.TempDir()) // the id names xz's version, which machines differ in
	b.Recipes = os.DirFS("testdata/recipe")
	image := build(t, b, o)
	golden(t, "testdata/initrd.golden", fmt.Sprintf("builder %d, id %s, initrd %s\n", builderFormat, image.ID, image.Files[1].SHA256))
}

func TestGoldenManifest(t *testing.T) {
	image := fleet.BootImage{ID: strings.Repeat("0a", 16), Kind: "linux", Architecture: "x64", Size: 7, KernelRelease: "6.1", ModuleCount: 3, AgentVersion: "1", Protocol: 1,
		Files: []fleet.ImageFile{{Name: "vmlinuz", Size: 7, SHA256: "ab"}}, CASet: []string{"cd"}, Lab: true, BuiltAt: time.Unix(1700000000, 0).UTC(), Inputs: []string{"kind linux"}}
	raw, err := encodeManifest(image)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/manifest-1.golden", string(raw))
	stored, err := os.ReadFile("testdata/manifest-1.golden")
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeManifest(stored)
	if err != nil || fmt.Sprint(back) != fmt.Sprint(image) {
		t.Errorf("%v, error %v", back, err)
	}
	if _, err := decodeManifest(bytes.Replace(stored, []byte(`"format": 1`), []byte(`"format": 2`), 1)); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer format: %v", err)
	}
	if _, err := decodeManifest(bytes.Replace(stored, []byte(`"vmlinuz"`), []byte(`"../vmlinuz"`), 1)); err == nil {
		t.Error("a file name that leaves the folder was accepted")
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("SLIPWAY_UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s", path, got)
	}
}
