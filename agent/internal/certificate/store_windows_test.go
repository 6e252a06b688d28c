package certificate

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
	"software.sslmate.com/src/go-pkcs12"
)

// change opens a store of the machine for writing. Some systems write at the end.
func change(t *testing.T, name string, do func(windows.Handle)) {
	t.Helper()
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		t.Fatal(err)
	}
	store, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, windows.CERT_SYSTEM_STORE_LOCAL_MACHINE, uintptr(unsafe.Pointer(wide)))
	if err != nil {
		t.Fatalf("open the machine's store %s (run the test as administrator): %v", name, err)
	}
	do(store)
	if err := windows.CertCloseStore(store, 0); err != nil {
		t.Fatal(err)
	}
}

// each gives every certificate of a store to do.
func each(store windows.Handle, do func(*windows.CertContext, []byte)) {
	for prev := (*windows.CertContext)(nil); ; {
		var err error
		if prev, err = windows.CertEnumCertificatesInStore(store, prev); err != nil {
			return
		}
		do(prev, unsafe.Slice(prev.EncodedCert, prev.Length))
	}
}

// put puts a certificate into a store and takes it out at the end.
func put(t *testing.T, name string, c *windows.CertContext, der []byte) {
	t.Helper()
	change(t, name, func(store windows.Handle) {
		if err := windows.CertAddCertificateContextToStore(store, c, windows.CERT_STORE_ADD_REPLACE_EXISTING, nil); err != nil {
			t.Fatalf("put a certificate into %s: %v", name, err)
		}
	})
	der = append([]byte(nil), der...)
	t.Cleanup(func() {
		change(t, name, func(store windows.Handle) {
			var found *windows.CertContext
			each(store, func(c *windows.CertContext, have []byte) {
				if string(have) == string(der) {
					found = windows.CertDuplicateCertificateContext(c)
				}
			})
			if found != nil {
				if err := windows.CertDeleteCertificateFromStore(found); err != nil {
					t.Errorf("take the certificate out of %s: %v", name, err)
				}
			}
		})
	})
}

// putBare puts a certificate without its key.
func putBare(t *testing.T, name string, c *x509.Certificate) {
	t.Helper()
	ctx, err := windows.CertCreateCertificateContext(windows.X509_ASN_ENCODING, &c.Raw[0], uint32(len(c.Raw)))
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CertFreeCertificateContext(ctx)
	put(t, name, ctx, c.Raw)
}

// importPFX puts a certificate with its key and its chain into the machine's
// stores, as an administrator does.
func importPFX(t *testing.T, p pair, chain ...pair) {
	t.Helper()
	var cas []*x509.Certificate
	for _, c := range chain {
		cas = append(cas, c.cert)
	}
	pfx, err := pkcs12.LegacyDES.Encode(p.key, p.cert, cas, "secret")
	if err != nil {
		t.Fatal(err)
	}
	password, err := windows.UTF16PtrFromString("secret")
	if err != nil {
		t.Fatal(err)
	}
	blob := windows.CryptDataBlob{Size: uint32(len(pfx)), Data: &pfx[0]}
	from, err := windows.PFXImportCertStore(&blob, password, windows.CRYPT_MACHINE_KEYSET|windows.PKCS12_ALWAYS_CNG_KSP)
	if err != nil {
		t.Fatalf("import PKCS#12: %v", err)
	}
	defer windows.CertCloseStore(from, 0)
	each(from, func(c *windows.CertContext, der []byte) {
		if string(der) == string(p.cert.Raw) {
			put(t, "MY", c, der)
		} else {
			put(t, "CA", c, der)
		}
	})
}

// The whole way, with keys that stay in Windows' key storage. It needs Windows and
// an administrator. Wine 8 has no key storage: its PFXImportCertStore refuses the
// flag PKCS12_ALWAYS_CNG_KSP, NCryptOpenStorageProvider is a stub, and
// CryptAcquireCertificatePrivateKey answers CRYPT_E_NO_KEY_PROPERTY.
func TestMachineStore(t *testing.T) {
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		t.Skip("Wine has no CNG key storage: run this test on Windows as administrator")
	}
	for name, key := range map[string]crypto.Signer{"RSA": newRSAKey(t), "ECDSA": newKey(t)} {
		t.Run(name, func(t *testing.T) {
			root := issue(t, "CA root", newKey(t), nil)
			issuing := issue(t, "CA issuing", newRSAKey(t), &root)
			machine := issue(t, "machine-"+name, key, &issuing)
			importPFX(t, machine, issuing)
			c, err := Load(Options{StoreSubject: "MACHINE-" + name, StoreIssuer: "ca issuing"})
			if err != nil {
				t.Fatal(err)
			}
			if !c.Leaf.Equal(machine.cert) || len(c.Certificate) != 2 {
				t.Fatalf("%s with %d certificates", c.Leaf.Subject, len(c.Certificate))
			}
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				if seen := shown(t, c, version); !seen[0].Equal(machine.cert) {
					t.Errorf("the server saw %s", seen[0].Subject)
				}
			}
		})
	}
}

// The right certificate is found in the real store; it has no key there.
func TestMachineStoreWithoutKey(t *testing.T) {
	root := issue(t, "CA store test", newKey(t), nil)
	putBare(t, "MY", issue(t, "store test server", newKey(t), &root, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}).cert)
	_, err := Load(Options{StoreIssuer: "ca STORE test"})
	if err == nil || !strings.Contains(err.Error(), "1 not for client authentication") {
		t.Errorf("server certificate only: %v", err)
	}
	putBare(t, "MY", issue(t, "store test client", newKey(t), &root).cert)
	_, err = Load(Options{StoreIssuer: "ca STORE test"})
	if err == nil || !strings.Contains(err.Error(), "store test client: ") || strings.Contains(err.Error(), "store test server") {
		t.Errorf("without a key: %v", err)
	}
}
