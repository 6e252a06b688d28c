package certificate

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"github.com/google/certtostore"
	"golang.org/x/sys/windows"
)

// loadStore takes a certificate from the stores of the local machine: MY
// ("Personal") has it, CA ("Intermediate Certification Authorities") what leads on
// from it. Its key stays where it is (CNG; software, TPM or smart card).
func loadStore(o Options) (tls.Certificate, error) {
	var none tls.Certificate
	list, contexts, err := readStore("MY")
	if err != nil {
		return none, err
	}
	used := -1
	defer func() {
		for i, c := range contexts {
			if i != used { // the key in use lives as long as its context: until the process ends
				_ = windows.CertFreeCertificateContext(c)
			}
		}
	}()
	order, err := choose(list, o, o.Now())
	if err != nil {
		return none, err
	}
	between, unused, err := readStore("CA")
	if err != nil {
		o.Warn("intermediate authorities are not sent along: " + err.Error())
	}
	for _, c := range unused {
		_ = windows.CertFreeCertificateContext(c)
	}
	store, err := certtostore.OpenWinCertStoreWithOptions(certtostore.WinCertStoreOptions{
		Provider: certtostore.ProviderMSSoftware, StoreFlags: certtostore.CertStoreReadOnly,
	})
	if err != nil {
		return none, fmt.Errorf("open Windows' key storage: %w", err)
	}
	defer store.Close()
	var errs []error
	for _, i := range order {
		c, err := withKey(store, contexts[i], list[i], append(between, list...))
		if err == nil {
			used = i
			return c, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", name(list[i]), err))
	}
	return none, fmt.Errorf("no key of the machine's certificates can be used (run the agent as administrator or system): %w", errors.Join(errs...))
}

// withKey finds the key of a certificate and tries whether it signs.
func withKey(store *certtostore.WinCertStore, at *windows.CertContext, leaf *x509.Certificate, others []*x509.Certificate) (tls.Certificate, error) {
	key, err := store.CertKey(at)
	if err != nil {
		return tls.Certificate{}, err
	}
	c, ok := assemble(append([]*x509.Certificate{leaf}, others...), key)
	if !ok {
		return c, errors.New("the key does not belong to the certificate")
	}
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); ok {
		// The library writes signatures for these pairs of curve and hash only.
		if c.SupportedSignatureAlgorithms = ecdsaSchemes(public); c.SupportedSignatureAlgorithms == nil {
			return c, errors.New("its curve cannot be used from the store: use P-256, P-384 or RSA")
		}
	}
	return c, nil
}

// readStore reads a system store of the local machine. The caller frees the
// contexts.
func readStore(name string) (list []*x509.Certificate, contexts []*windows.CertContext, err error) {
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, nil, fmt.Errorf("open the store %s: %w", name, err)
	}
	const flags = windows.CERT_SYSTEM_STORE_LOCAL_MACHINE | windows.CERT_STORE_READONLY_FLAG | windows.CERT_STORE_OPEN_EXISTING_FLAG
	store, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, flags, uintptr(unsafe.Pointer(wide)))
	if errors.Is(err, syscall.ERROR_FILE_NOT_FOUND) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open the machine's certificate store %s: %w", name, err)
	}
	defer windows.CertCloseStore(store, 0) // contexts keep what they need
	for prev := (*windows.CertContext)(nil); ; {
		// Each call frees the context before it.
		if prev, err = windows.CertEnumCertificatesInStore(store, prev); err != nil {
			return list, contexts, nil // CRYPT_E_NOT_FOUND: the end
		}
		der := unsafe.Slice(prev.EncodedCert, prev.Length)
		c, err := x509.ParseCertificate(append([]byte(nil), der...))
		if err != nil {
			continue // not one that Go understands; it is not ours either
		}
		list, contexts = append(list, c), append(contexts, windows.CertDuplicateCertificateContext(prev))
	}
}
