package ui

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"slipway/ui/internal/view"
)

// readSettings finds what a form changes. A setting the form does not name stays;
// so does one that it sends as it is kept. A secret or a file left empty stays
// too; the box "name:remove" takes it away. typed is all the form holds, to be
// shown again beside an error.
func readSettings(v *visit, have []Setting) (changes, typed map[string]string, err error) {
	changes, typed = map[string]string{}, map[string]string{}
	for _, s := range have {
		sent, ok := v.r.PostForm[s.Name]
		file, fileErr := uploaded(v, s.Name+":file")
		if fileErr != nil {
			return nil, nil, fileErr
		}
		if !ok && file == nil {
			continue
		}
		value := ""
		if len(sent) > 0 {
			value = strings.TrimSpace(sent[len(sent)-1]) // a ticked box comes after its hidden "off"
		}
		switch s.Kind {
		case KindPEM:
			typed[s.Name] = value
			if file != nil {
				if value, ok = toPEM(file); !ok {
					return changes, typed, &FieldError{Field: s.Name, Detail: "This file holds no certificate and no revocation list. " +
						"Export it as Base-64 or DER (.cer, .crl, .pem); a .p7b or .pfx is not taken."}
				}
			}
		case KindList:
			value = strings.Join(words(value), ", ")
		}
		typed[s.Name] = value
		switch {
		case v.form(s.Name+":remove") == "yes":
			value = ""
		case value == "" && (s.Kind == KindPEM || s.Kind == KindSecret):
			continue
		}
		if s.Kind == KindSecret || value != s.Value {
			changes[s.Name] = value
		}
	}
	return changes, typed, nil
}

// words splits a list at commas and line ends.
func words(list string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// uploaded reads a file of the form; nil when none was chosen.
func uploaded(v *visit, field string) ([]byte, error) {
	body, _, err := uploadedAs(v, field)
	return body, err
}

// uploadedAs is uploaded with the name that the browser gives the file.
func uploadedAs(v *visit, field string) (body []byte, name string, err error) {
	if v.r.MultipartForm == nil {
		return nil, "", nil
	}
	file, head, err := v.r.FormFile(field)
	if errors.Is(err, http.ErrMissingFile) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = file.Close() }() // read only
	body, err = io.ReadAll(file)
	if len(body) == 0 {
		return nil, "", err
	}
	return body, head.Filename, err
}

// toPEM takes what Windows writes as well: a .cer and a .crl are often binary.
func toPEM(file []byte) (text string, ok bool) {
	if bytes.Contains(file, []byte("-----BEGIN ")) {
		return strings.TrimSpace(string(file)), true
	}
	if certs, err := x509.ParseCertificates(file); err == nil && len(certs) > 0 {
		var out strings.Builder
		for _, cert := range certs {
			out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
		}
		return out.String(), true
	}
	if list, err := x509.ParseRevocationList(file); err == nil {
		return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list.Raw})), true
	}
	return "", false
}

// describePEM says in a line each what a kept text holds.
func describePEM(text string) []string {
	var out []string
	rest := []byte(text)
	for len(out) < 50 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return out
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			name := cert.Subject.CommonName
			if name == "" {
				name = cert.Subject.String()
			}
			out = append(out, name+", valid until "+view.Absolute(cert.NotAfter))
		} else if list, err := x509.ParseRevocationList(block.Bytes); err == nil {
			out = append(out, fmt.Sprintf("List of %s: %s, next one due %s", list.Issuer.CommonName,
				view.Count(len(list.RevokedCertificateEntries), "revoked certificate", "revoked certificates"), view.Absolute(list.NextUpdate)))
		} else {
			out = append(out, "A part that cannot be read: "+block.Type)
		}
	}
	return append(out, "and more")
}
