package pe

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
)

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidIndirectData  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidPEImageData   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 15}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidRSA           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
)

// ErrSignature says that a signature does not fit.
var ErrSignature = errors.New("signature does not hold")

// Digest is the SHA-256 that a signature of the program covers: all but the
// checksum, the entry of the signatures in the data directory, and the signatures.
func (p *Image) Digest() [sha256.Size]byte {
	h := sha256.New()
	checksum, security := p.optional+optChecksum, p.optional+optSecurity
	h.Write(p.raw[:checksum])
	h.Write(p.raw[checksum+4 : security])
	h.Write(p.raw[security+8 : p.end])
	// The table of signatures begins at a multiple of eight.
	h.Write(make([]byte, align(p.end, 8)-p.end))
	return [sha256.Size]byte(h.Sum(nil))
}

// Types of the PKCS #7 structures (RFC 2315), in the order of their fields.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	signedData struct {
		Version      int
		Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
		Content      contentInfo
		Certificates asn1.RawValue `asn1:"optional,tag:0"`
		Signers      []signerInfo  `asn1:"set"`
	}
	signerInfo struct {
		Version   int
		Issuer    issuerAndSerial
		Digest    pkix.AlgorithmIdentifier
		Attribute asn1.RawValue `asn1:"optional,tag:0"`
		Algorithm pkix.AlgorithmIdentifier
		Signature []byte
	}
	issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	attribute struct {
		Type   asn1.ObjectIdentifier
		Values asn1.RawValue `asn1:"set"`
	}
	indirectData struct {
		Data   peImageData
		Digest digestInfo
	}
	peImageData struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	digestInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
)

// emptyFile is SpcPeImageData with no flags and an empty file name, as every
// signing tool writes it: nothing in firmware looks at it.
var emptyFile = []byte{0x30, 0x09, 0x03, 0x01, 0x00, 0xa0, 0x04, 0xa2, 0x02, 0x80, 0x00}

var (
	sha256Algorithm = pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}
	rsaAlgorithm    = pkix.AlgorithmIdentifier{Algorithm: oidRSA, Parameters: asn1.NullRawValue}
)

// Sign makes a signature of a program's digest: PKCS #7 signed data that holds the
// certificate. Firmware understands RSA with SHA-256 only (UEFI 2.10, 32.2.4). The
// same key, certificate and digest always give the same bytes.
func Sign(digest [sha256.Size]byte, cert *x509.Certificate, key crypto.Signer) ([]byte, error) {
	public, ok := key.Public().(*rsa.PublicKey)
	if !ok || public.N.BitLen() < 2048 {
		return nil, fmt.Errorf("the key must be an RSA key of at least 2048 bits: firmware understands no other")
	}
	if !public.Equal(cert.PublicKey) {
		return nil, errors.New("the certificate is not of this key")
	}
	content, err := asn1.Marshal(indirectData{peImageData{oidPEImageData, asn1.RawValue{FullBytes: emptyFile}}, digestInfo{sha256Algorithm, digest[:]}})
	if err != nil {
		return nil, err
	}
	attributes, err := signedAttributes(content)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(attributes) // as a SET, RFC 2315 9.3
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	attributes[0] = 0xa0 // [0] IMPLICIT in its place
	signer := signerInfo{1, issuerAndSerial{asn1.RawValue{FullBytes: cert.RawIssuer}, cert.SerialNumber}, sha256Algorithm,
		asn1.RawValue{FullBytes: attributes}, rsaAlgorithm, signature}
	data, err := asn1.Marshal(signedData{1, []pkix.AlgorithmIdentifier{sha256Algorithm}, contentInfo{oidIndirectData, explicit(content)},
		asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: cert.Raw}, []signerInfo{signer}})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{oidSignedData, explicit(data)})
}

// explicit wraps an encoded value in [0].
func explicit(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der}
}

// signedAttributes encodes the SET of content type and message digest. The digest
// covers the content's value without its tag and length.
func signedAttributes(content []byte) ([]byte, error) {
	var inner asn1.RawValue
	if _, err := asn1.Unmarshal(content, &inner); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(inner.Bytes)
	set := func(v any) asn1.RawValue {
		b, _ := asn1.Marshal(v) // object identifiers and octet strings cannot fail
		return asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSet, IsCompound: true, Bytes: b}
	}
	return asn1.MarshalWithParams([]attribute{{oidContentType, set(oidIndirectData)}, {oidMessageDigest, set(sum[:])}}, "set")
}

// Attach returns the program with this one signature, after checking it: it must be
// of this program and by the certificate it holds, which is returned.
func (p *Image) Attach(signature []byte) ([]byte, *x509.Certificate, error) {
	cert, err := CheckSignature(signature, p.Digest())
	if err != nil {
		return nil, nil, err
	}
	start := align(p.end, 8)
	length := align(8+len(signature), 8)
	out := make([]byte, start+length)
	copy(out, p.raw[:p.end])
	// WIN_CERTIFICATE: length, revision 2.0, PKCS signed data (2).
	binary.LittleEndian.PutUint32(out[start:], uint32(length))
	binary.LittleEndian.PutUint16(out[start+4:], 0x0200)
	binary.LittleEndian.PutUint16(out[start+6:], 0x0002)
	copy(out[start+8:], signature)
	binary.LittleEndian.PutUint32(out[p.optional+optSecurity:], uint32(start))
	binary.LittleEndian.PutUint32(out[p.optional+optSecurity+4:], uint32(length))
	setChecksum(out, p.optional+optChecksum)
	return out, cert, nil
}

// CheckSignature checks a signature as Sign makes it against a program's digest and
// the certificate it holds. It does not ask whether anybody trusts that.
func CheckSignature(signature []byte, digest [sha256.Size]byte) (*x509.Certificate, error) {
	bad := func(err error) error { return fmt.Errorf("%w: %w", ErrSignature, err) }
	var outer contentInfo
	if err := unmarshal(signature, &outer); err != nil || !outer.Type.Equal(oidSignedData) {
		return nil, bad(errors.New("not PKCS #7 signed data"))
	}
	var data signedData
	if err := unmarshal(outer.Content.Bytes, &data); err != nil {
		return nil, bad(err)
	}
	if !data.Content.Type.Equal(oidIndirectData) || len(data.Signers) != 1 {
		return nil, bad(errors.New("not an Authenticode signature of one signer"))
	}
	var content indirectData
	if err := unmarshal(data.Content.Content.Bytes, &content); err != nil {
		return nil, bad(err)
	}
	if string(content.Digest.Digest) != string(digest[:]) {
		return nil, bad(errors.New("it is of another program"))
	}
	cert, err := x509.ParseCertificate(data.Certificates.Bytes)
	if err != nil {
		return nil, bad(err)
	}
	if by := data.Signers[0].Issuer; string(by.Issuer.FullBytes) != string(cert.RawIssuer) || by.Serial == nil || by.Serial.Cmp(cert.SerialNumber) != 0 {
		return nil, bad(errors.New("its signer is not the certificate it holds"))
	}
	want, err := signedAttributes(data.Content.Content.Bytes)
	if err != nil {
		return nil, bad(err)
	}
	got := append([]byte(nil), data.Signers[0].Attribute.FullBytes...)
	if len(got) == 0 {
		return nil, bad(errors.New("no signed attributes"))
	}
	got[0] = want[0]
	if string(got) != string(want) {
		return nil, bad(errors.New("other signed attributes than content type and message digest"))
	}
	if err := cert.CheckSignature(x509.SHA256WithRSA, want, data.Signers[0].Signature); err != nil {
		return nil, bad(err)
	}
	return cert, nil
}

// unmarshal wants the value to be all there is.
func unmarshal(b []byte, into any) error {
	rest, err := asn1.Unmarshal(b, into)
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes follow the value")
	}
	return err
}
