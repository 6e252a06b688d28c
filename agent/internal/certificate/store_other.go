//go:build !windows

package certificate

import (
	"crypto/tls"
	"errors"
)

func loadStore(Options) (tls.Certificate, error) {
	return tls.Certificate{}, errors.New("the machine's certificate store is on Windows only: give a PEM or PKCS#12 file")
}
