package certificate

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// maxFile bounds each file, in bytes.
const maxFile = 1 << 20

// read reads a file. One with a secret must not be writable by others, who could
// put another key in; that others can read it is said.
func (o Options) read(name string, secret bool) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, explainOpen(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", name)
	}
	if secret && runtime.GOOS != "windows" { // there the folder's access list says who may
		switch mode := info.Mode().Perm(); {
		case mode&0o022 != 0:
			return nil, fmt.Errorf("%s can be changed by others than its owner (mode %04o); run: chmod 600 %[1]s", name, mode)
		case mode&0o044 != 0:
			o.Warn(fmt.Sprintf("%s can be read by others than its owner (mode %04o); run: chmod 600 %[1]s", name, mode))
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it is larger than %d KiB", maxFile>>10)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return text, nil
}

func explainOpen(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not there", name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to read %s: run the agent as root or administrator, or as the file's owner", name)
	}
	return fmt.Errorf("open: %w", err)
}

func loadPEM(o Options) (tls.Certificate, error) {
	var none tls.Certificate
	keyFile := o.KeyFile
	if keyFile == "" {
		keyFile = o.CertFile
	}
	text, err := o.read(o.CertFile, keyFile == o.CertFile)
	if err != nil {
		return none, err
	}
	list, err := parseCertificates(text)
	if err != nil {
		return none, fmt.Errorf("%s: %w", o.CertFile, err)
	}
	if keyFile != o.CertFile {
		if text, err = o.read(keyFile, true); err != nil {
			return none, err
		}
	}
	key, err := parseKey(text)
	if err != nil {
		return none, fmt.Errorf("%s: %w", keyFile, err)
	}
	c, ok := assemble(list, key)
	if !ok {
		return none, fmt.Errorf("the key in %s belongs to none of the certificates in %s: name the files of one pair", keyFile, o.CertFile)
	}
	return c, nil
}

// blocks gives each PEM block to visit until it returns false.
func blocks(text []byte, visit func(*pem.Block) bool) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if !visit(block) {
			return
		}
	}
}

// maxCertificates is how many are taken from one file.
const maxCertificates = 64

func parseCertificates(text []byte) (list []*x509.Certificate, err error) {
	blocks(text, func(b *pem.Block) bool {
		if b.Type != "CERTIFICATE" {
			return true
		}
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(b.Bytes); err != nil {
			err = fmt.Errorf("certificate %d cannot be read: %w", len(list)+1, err)
			return false
		}
		list = append(list, c)
		return len(list) < maxCertificates
	})
	if err == nil && len(list) == 0 {
		if bytes.HasPrefix(text, []byte{0x30}) {
			return nil, errors.New("it is not PEM: if it is a PKCS#12 file (.p12, .pfx), name it as such; else convert it: openssl x509 -inform der")
		}
		err = errors.New("there is no certificate in it (-----BEGIN CERTIFICATE-----)")
	}
	return list, err
}

// parseKey reads the first private key of a text: PKCS#8, PKCS#1 or SEC 1.
func parseKey(text []byte) (key crypto.Signer, err error) {
	err = errors.New("there is no private key in it (-----BEGIN PRIVATE KEY-----)")
	blocks(text, func(b *pem.Block) bool {
		if !strings.HasSuffix(b.Type, "PRIVATE KEY") {
			return true
		}
		key, err = parseKeyBlock(b)
		return false
	})
	return key, err
}

func parseKeyBlock(b *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch {
	case b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, errors.New("the key is encrypted: put key and certificate into one PKCS#12 file with a password (openssl pkcs12 -export)")
	case b.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	case b.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(b.Bytes)
	case b.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	default:
		return nil, fmt.Errorf("a key in the form %q is not understood: convert it: openssl pkcs8 -topk8 -nocrypt", b.Type)
	}
	if err != nil {
		return nil, errors.New("the private key cannot be read: the file is damaged or cut off") // the parser's words may quote the key
	}
	s, err := signer(key)
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be used: %w", err)
	}
	return s, nil
}

func loadPKCS12(o Options) (tls.Certificate, error) {
	var none tls.Certificate
	password, err := o.password()
	if err != nil {
		return none, err
	}
	data, err := o.read(o.PKCS12File, true)
	if err != nil {
		return none, err
	}
	raw, leaf, rest, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return none, fmt.Errorf("%s: %w", o.PKCS12File, explainPKCS12(err, password == ""))
	}
	key, err := signer(raw)
	if err != nil {
		return none, fmt.Errorf("%s: the private key cannot be used: %w", o.PKCS12File, err)
	}
	c, ok := assemble(append([]*x509.Certificate{leaf}, rest...), key)
	if !ok {
		return none, fmt.Errorf("%s: its key belongs to none of its certificates", o.PKCS12File)
	}
	return c, nil
}

func explainPKCS12(err error, noPassword bool) error {
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && noPassword, errors.Is(err, pkcs12.ErrDecryption) && noPassword:
		return errors.New("it is protected by a password, and none is given")
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return errors.New("the password is wrong")
	}
	return fmt.Errorf("it cannot be read as PKCS#12: %w", err)
}

// password is the one given, or the first line of its file.
func (o Options) password() (string, error) {
	switch {
	case o.PasswordFile == "":
		return o.Password, nil
	case o.Password != "":
		return "", errors.New("a password and a password file are given: give one of them")
	}
	text, err := o.read(o.PasswordFile, true)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("the first line of %s is empty: write the password there", o.PasswordFile)
	}
	return line, nil
}
