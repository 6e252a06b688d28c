package bootimages

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
)

// The kinds and architectures this version builds.
const (
	KindLinux = "linux"
	X64       = "x64"
	ARM64     = "arm64"
)

// debianArch is Debian's word for an architecture of ours.
func debianArch(arch string) string {
	return map[string]string{X64: "amd64", ARM64: "arm64"}[arch]
}

// Options says what a boot image is to hold. The zero value of a field
// means its default.
type Options struct {
	Architecture string // x64 (default) or arm64
	Profile      string // of the recipe: client (default) or server
	Agent        string // path of the agent; default: searched, see AgentPaths
	AgentVersion string
	Protocol     int    // of the agent's conversation with the appliance
	Packages     string // folder of .deb files instead of the package source
	Firmware     string // folder with files for /lib/firmware
	Overlay      string // folder with further files for the image's root
	Installation string // installation id
	CAs          []byte // PEM: the CA set devices trust
	Servers      []string
	Keyboard     string // layout the prompt starts with
	Lab          bool   // may carry a rescue shell and take slipway.passcode=
	AllowSecrets bool
	Windows      WindowsOptions
}

var wordPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Validate fills in defaults and checks the options of a Linux image. Errors wrap
// ErrOption.
func (o *Options) Validate() error { return o.ValidateKind(KindLinux) }

func (o *Options) check() error {
	if o.Architecture == "" {
		o.Architecture = X64
	}
	if o.Profile == "" {
		o.Profile = "client"
	}
	if o.Keyboard == "" {
		o.Keyboard = "us"
	}
	switch {
	case debianArch(o.Architecture) == "":
		return fmt.Errorf("%w: architecture %q: this version builds %s and %s", ErrOption, o.Architecture, X64, ARM64)
	case !wordPattern.MatchString(o.Profile):
		return fmt.Errorf("%w: profile %q", ErrOption, o.Profile)
	case !wordPattern.MatchString(o.Keyboard):
		return fmt.Errorf("%w: keyboard layout %q", ErrOption, o.Keyboard)
	case !wordPattern.MatchString(o.Installation):
		return fmt.Errorf("%w: installation id %q", ErrOption, o.Installation)
	}
	for _, s := range o.Servers {
		if _, err := netip.ParseAddrPort(s); err != nil {
			return fmt.Errorf("%w: server %q: write it as address:port", ErrOption, s)
		}
	}
	_, err := Fingerprints(o.CAs)
	return err
}

// Fingerprints returns the SHA-256 of each certificate in a PEM text, in hex and
// sorted. Anything but certificates in it is an error: the text becomes public.
func Fingerprints(pemText []byte) ([]string, error) {
	var out []string
	for rest := pemText; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%w: the CA set holds a %s", ErrOption, b.Type)
		}
		if _, err := x509.ParseCertificate(b.Bytes); err != nil {
			return nil, fmt.Errorf("%w: the CA set: %w", ErrOption, err)
		}
		out = append(out, Fingerprint(b.Bytes))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: the CA set is empty: devices could trust nobody", ErrOption)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Fingerprint is the SHA-256 of a certificate (DER), or of a small file, in hex.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// canonicalCAs writes the certificates of a PEM text sorted and without comments,
// so that the same set always gives the same file.
func canonicalCAs(pemText []byte) []byte {
	var blocks []string
	for rest := pemText; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		blocks = append(blocks, string(pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: b.Bytes})))
	}
	slices.Sort(blocks)
	var out []byte
	for _, b := range slices.Compact(blocks) {
		out = append(out, b...)
	}
	return out
}
