//go:build lab

package boottest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"slipway/lab"
)

// ownerKey makes an owner's key and certificate, as openssl req would.
func ownerKey(t *testing.T, s *scene) (keyFile, certFile string, der []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Lab owner"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err = x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	keyFile, certFile = s.run.Path("owner.key"), s.run.Path("owner.pem")
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	return keyFile, certFile, der
}

// With Secure Boot on, a machine whose firmware knows the owner's certificate boots
// the image that the owner signed, by PXE and by HTTP Boot.
func TestSecureBootOwnKey(t *testing.T) {
	t.Parallel()
	for _, firmware := range []lab.Firmware{lab.UEFI, lab.UEFIHTTP} {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "boot: {uefi: one-file}\n", nil)
			key, cert, der := ownerKey(t, s)
			t.Log(s.slipway(t, "", "image", "sign", "--key", key, "--cert", cert))
			m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "secure-" + string(firmware), Firmware: firmware, SecureBoot: true, Enrol: der})
			must(t, err)
			expect(t, m, 110*time.Second, "Passcode")
			fmt.Printf("BOOT %s Secure Boot, own key: prompt %.1f s\n", firmware, time.Since(m.Started).Seconds())
			keepScreen(t, m, string(firmware)+"-secure-boot")
			enter(t, m, lab.Passcode)
			expect(t, m, 30*time.Second, "Choose a task sequence")
			deadline := time.Now().Add(lab.Timeout(20 * time.Second))
			for s.device(t).Facts["SecureBoot"] == "" && time.Now().Before(deadline) {
				time.Sleep(300 * time.Millisecond)
			}
			// The certificates of Debian's OVMF, and the owner's.
			if f := s.device(t).Facts; f["SecureBoot"] != "True" || !strings.Contains(f["SecureBootDB"], "2011") || !strings.Contains(f["SecureBootDB"], "Lab owner") {
				t.Errorf("facts: SecureBoot %q, SecureBootDB %q", f["SecureBoot"], f["SecureBootDB"])
			}
		})
	}
}

// With Secure Boot on, firmware refuses what nobody it trusts has signed: the
// loaders, and the image without a signature.
func TestSecureBootRefusesUnsigned(t *testing.T) {
	t.Parallel()
	for way, config := range map[string]string{"ipxe": "", "one-file": "boot: {uefi: one-file}\n"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, config, nil)
			m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "refused-" + way, Firmware: lab.UEFI, SecureBoot: true})
			must(t, err)
			expect(t, m, 110*time.Second, `failed to (load|start) Boot[^\r]*(Access Denied|Security Violation)|Access Denied|Security Violation`)
			keepScreen(t, m, "secure-boot-refuses-"+way)
		})
	}
}

// With Secure Boot on and only Microsoft's keys, Debian's shim, GRUB and kernel lead
// to the challenge, where the DHCP lease names the appliance as the next server.
func TestSecureBootShim(t *testing.T) {
	t.Parallel()
	t.Run("authoritative", func(t *testing.T) {
		t.Parallel()
		shimBoot(t, newSegment(t, "boot: {uefi: shim}\ndhcp: {mode: authoritative, subnets: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.150}]}\n"))
	})
	if os.Getenv("SLIPWAY_SOAK") == "" {
		return
	}
	t.Run("next-server", func(t *testing.T) {
		t.Parallel()
		s := newSegment(t, "boot: {uefi: shim}\n")
		var err error
		s.dhcp, err = s.net.StartDHCP(lab.DHCPOptions{Extra: []string{"dhcp-boot=,," + lab.ApplianceAddress}})
		must(t, err)
		shimBoot(t, s)
	})
}

// shimBoot takes a machine to the prompt, signs in, and sends it to its disk.
func shimBoot(t *testing.T, s *scene) {
	t.Helper()
	m, err := s.net.PowerOn(t.Context(), lab.MachineConfig{Name: "shim", Firmware: lab.UEFI, SecureBoot: true})
	must(t, err)
	expect(t, m, 2*time.Minute, "Passcode")
	fmt.Printf("BOOT uefi Secure Boot, shim: prompt %.1f s\n", time.Since(m.Started).Seconds())
	keepScreen(t, m, "uefi-secure-boot-shim")
	if asked := strings.Join(s.asked(t, m), " "); !strings.Contains(asked, "/shimx64.efi") || !strings.Contains(asked, "/grub/device/"+m.MAC) || strings.Contains(asked, "snponly") {
		t.Errorf("asked for %s", asked)
	}
	if d := s.device(t); d.UUID != m.UUID || d.ImageID == "" {
		t.Errorf("the device is recorded as %+v", d)
	}
	enter(t, m, lab.Passcode)
	expect(t, m, 30*time.Second, "Choose a task sequence")
	deadline := time.Now().Add(lab.Timeout(20 * time.Second))
	for s.device(t).Facts["SecureBoot"] == "" && time.Now().Before(deadline) {
		time.Sleep(300 * time.Millisecond)
	}
	if f := s.device(t).Facts; f["SecureBoot"] != "True" || !strings.Contains(f["SecureBootDB"], "2011") {
		t.Errorf("facts: SecureBoot %q, SecureBootDB %q", f["SecureBoot"], f["SecureBootDB"])
	}
	// To its disk: shim is refused, and the firmware goes on to its next entry.
	s.slipway(t, "", "device", "boot", s.device(t).ID, "disk")
	m.Console.Skip()
	must(t, m.Reset(t.Context()))
	expect(t, m, time.Minute, "failed to load Boot")
}
