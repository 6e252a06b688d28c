package clientcert

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

// maxLists is how many revocation lists are taken from one text or file.
const maxLists = 64

// list is a revocation list (RFC 5280 section 5). Its entries are kept as bare
// serial numbers: a list of 16 MiB has some 400,000.
type list struct {
	crl     *x509.RevocationList // without entries; for its signature and its times
	serials map[string]struct{}

	mu     sync.Mutex
	signed map[[sha256.Size]byte]bool // by issuer certificate, what the check gave
}

// maxIssuersKept bounds list.signed.
const maxIssuersKept = 32

// parseList reads a list in DER and refuses one that can never be relied on.
func parseList(der []byte) (*list, error) {
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("the revocation list cannot be read: %s", short(err))
	}
	// Not the whole of it, which has the entries once more.
	bare := &x509.RevocationList{
		RawTBSRevocationList: crl.RawTBSRevocationList, SignatureAlgorithm: crl.SignatureAlgorithm, Signature: crl.Signature,
		RawIssuer: crl.RawIssuer, Issuer: crl.Issuer, ThisUpdate: crl.ThisUpdate, NextUpdate: crl.NextUpdate,
	}
	l := &list{crl: bare, serials: make(map[string]struct{}, len(crl.RevokedCertificateEntries)), signed: map[[sha256.Size]byte]bool{}}
	why := unfit(crl)
	for _, e := range crl.RevokedCertificateEntries {
		l.serials[serialKey(e.SerialNumber)] = struct{}{}
		if why == "" {
			why = notUnderstood(e.Extensions)
		}
	}
	if why != "" {
		return nil, fmt.Errorf("the revocation list of %s cannot be used: %s", l.issuer(), why)
	}
	return l, nil
}

func serialKey(n *big.Int) string { return string(n.Bytes()) }

// unfit says why a list cannot be relied on, or "". Unlike for certificates,
// crypto/x509 takes SHA-1 here.
func unfit(crl *x509.RevocationList) string {
	if weakAlgorithm(crl.SignatureAlgorithm) {
		return "it is signed with " + crl.SignatureAlgorithm.String() + ", which is too weak"
	}
	if crl.NextUpdate.IsZero() {
		return "it does not say when the next one comes (nextUpdate)"
	}
	return notUnderstood(crl.Extensions)
}

// notUnderstood: RFC 5280 section 5.2 forbids to use a list with a critical
// extension that one does not know. Delta lists and lists for a part of the
// certificates only are marked so.
func notUnderstood(list []pkix.Extension) string {
	for _, x := range list {
		if !x.Critical {
			continue
		}
		switch {
		case x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 27}):
			return "it is a delta list: use the complete one"
		case x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 28}):
			return "it is for a part of the certificates only (issuing distribution point): use the complete one"
		case x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 20}), x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 35}), x.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 21}):
			// number, key id, reason: harmless, though they are not to be critical
		default:
			return "it has a critical extension that is not understood: " + x.Id.String()
		}
	}
	return ""
}

func (l *list) issuer() string {
	if cn := l.crl.Issuer.CommonName; cn != "" {
		return plain("CN=" + cn)
	}
	return plain(l.crl.Issuer.String())
}

// by reports whether the list names the authority as its issuer.
func (l *list) by(authority *x509.Certificate) bool {
	return bytes.Equal(l.crl.RawIssuer, authority.RawSubject)
}

// signedBy checks the list's signature, once for each authority.
func (l *list) signedBy(authority *x509.Certificate) bool {
	key := sha256.Sum256(authority.Raw)
	l.mu.Lock()
	defer l.mu.Unlock()
	ok, known := l.signed[key]
	if !known {
		ok = l.by(authority) && l.crl.CheckSignatureFrom(authority) == nil
		if len(l.signed) < maxIssuersKept {
			l.signed[key] = ok
		}
	}
	return ok
}

func (l *list) holds(c *x509.Certificate) bool {
	_, ok := l.serials[serialKey(c.SerialNumber)]
	return ok
}

// clockSkew is how far the clocks of the appliance and the authority may differ
// where a list has just been issued.
const clockSkew = 5 * time.Minute

func (l *list) current(now time.Time) bool {
	return now.Before(l.crl.NextUpdate) && !now.Before(l.crl.ThisUpdate.Add(-clockSkew))
}

// ValidateCRL says what is wrong with uploaded revocation lists: PEM, or the
// base64 of one in DER. It does not look at the clock and at signatures: Check does.
func ValidateCRL(text string) error {
	_, err := parseUploaded(text)
	return err
}

func parseUploaded(text string) ([]*list, error) {
	if len(text) > maxCRLText {
		return nil, fmt.Errorf("the revocation lists are larger than %d KiB: give the address to fetch them from instead", maxCRLText>>10)
	}
	return parseLists([]byte(text))
}

// parseLists reads lists in PEM, one in DER, or the base64 of one in DER.
func parseLists(data []byte) ([]*list, error) {
	if len(data) > 0 && data[0] == 0x30 { // a DER sequence
		return one(data)
	}
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), ""))
		if err != nil || len(der) == 0 {
			return nil, errors.New("use revocation lists in PEM (-----BEGIN X509 CRL-----), or one in DER as base64")
		}
		return one(der)
	}
	var lists []*list
	for rest := data; len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		switch block, rest = pem.Decode(rest); {
		case block == nil:
			return nil, errors.New("use revocation lists in PEM only (-----BEGIN X509 CRL-----)")
		case block.Type != "X509 CRL":
			return nil, fmt.Errorf("there is a %s among the revocation lists: use -----BEGIN X509 CRL----- only", strings.ToLower(plain(block.Type)))
		case len(lists) == maxLists:
			return nil, fmt.Errorf("at most %d revocation lists are taken", maxLists)
		}
		l, err := parseList(block.Bytes)
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	return lists, nil
}

func one(der []byte) ([]*list, error) {
	l, err := parseList(der)
	if err != nil {
		return nil, err
	}
	return []*list{l}, nil
}
