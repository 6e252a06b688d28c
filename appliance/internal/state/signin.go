package state

import (
	"bytes"
	"slices"

	"slipway/fleet"
)

// SignIn holds the one record of sign-in settings, under Self.
func (tx *Tx) SignIn() Table[fleet.SignIn] { return Table[fleet.SignIn]{tx, &signInKind} }

var signInKind = define("signin",
	func(fleet.SignIn) string { return Self },
	func(v fleet.SignIn) signInRecord {
		c, e, w := v.Certificate, v.Entra, v.Console
		r := signInRecord{
			Anonymous: v.Anonymous, PasscodeInFullOS: v.PasscodeInFullOS,
			Certificate: certificateRecord{Enabled: c.Enabled, CAs: c.CAs, CRL: c.CRL, CRLURL: c.CRLURL},
			Entra: entraRecord{Enabled: e.Enabled, Tenant: e.Tenant, Issuer: e.Issuer, ClientID: e.ClientID,
				SealedSecret: e.SealedSecret, Roles: e.Roles, RoleClaim: e.RoleClaim, CAs: e.CAs},
			Console: consoleRecord{Enabled: w.Enabled, Name: w.Name, Issuer: w.Issuer, ClientID: w.ClientID,
				SealedSecret: w.SealedSecret, RoleClaim: w.RoleClaim, Viewers: w.Viewers, Technicians: w.Technicians,
				Administrators: w.Administrators, URL: w.URL, CAs: w.CAs, LocalOff: w.LocalOff},
		}
		for _, rule := range c.Rules {
			r.Certificate.Rules = append(r.Certificate.Rules, ruleRecord(rule))
		}
		return r
	},
	func(r signInRecord) fleet.SignIn {
		c, e, w := r.Certificate, r.Entra, r.Console
		v := fleet.SignIn{
			Anonymous: r.Anonymous, PasscodeInFullOS: r.PasscodeInFullOS,
			Certificate: fleet.CertificateSignIn{Enabled: c.Enabled, CAs: c.CAs, CRL: c.CRL, CRLURL: c.CRLURL},
			Entra: fleet.EntraSignIn{Enabled: e.Enabled, Tenant: e.Tenant, Issuer: e.Issuer, ClientID: e.ClientID,
				SealedSecret: bytes.Clone(e.SealedSecret), Roles: slices.Clone(e.Roles), RoleClaim: e.RoleClaim, CAs: e.CAs},
			Console: fleet.ConsoleSignIn{Enabled: w.Enabled, Name: w.Name, Issuer: w.Issuer, ClientID: w.ClientID,
				SealedSecret: bytes.Clone(w.SealedSecret), RoleClaim: w.RoleClaim, Viewers: slices.Clone(w.Viewers),
				Technicians: slices.Clone(w.Technicians), Administrators: slices.Clone(w.Administrators),
				URL: w.URL, CAs: w.CAs, LocalOff: w.LocalOff},
		}
		for _, rule := range c.Rules {
			v.Certificate.Rules = append(v.Certificate.Rules, fleet.CertificateRule(rule))
		}
		return v
	})

type signInRecord struct {
	Anonymous        bool              `json:"anonymous,omitempty"`
	PasscodeInFullOS bool              `json:"passcodeInFullOS,omitempty"`
	Certificate      certificateRecord `json:"certificate,omitzero"`
	Entra            entraRecord       `json:"entra,omitzero"`
	Console          consoleRecord     `json:"console,omitzero"`
}

type certificateRecord struct {
	Enabled bool         `json:"enabled,omitempty"`
	CAs     string       `json:"cas,omitempty"`
	CRL     string       `json:"crl,omitempty"`
	CRLURL  string       `json:"crlUrl,omitempty"`
	Rules   []ruleRecord `json:"rules,omitempty"`
}

type ruleRecord struct {
	Field   string `json:"field"`
	Pattern string `json:"pattern"`
}

type entraRecord struct {
	Enabled      bool     `json:"enabled,omitempty"`
	Tenant       string   `json:"tenant,omitempty"`
	Issuer       string   `json:"issuer,omitempty"`
	ClientID     string   `json:"clientId,omitempty"`
	SealedSecret []byte   `json:"sealedSecret,omitempty"`
	Roles        []string `json:"roles,omitempty"`
	RoleClaim    string   `json:"roleClaim,omitempty"`
	CAs          string   `json:"cas,omitempty"`
}

type consoleRecord struct {
	Enabled        bool     `json:"enabled,omitempty"`
	Name           string   `json:"name,omitempty"`
	Issuer         string   `json:"issuer,omitempty"`
	ClientID       string   `json:"clientId,omitempty"`
	SealedSecret   []byte   `json:"sealedSecret,omitempty"`
	RoleClaim      string   `json:"roleClaim,omitempty"`
	Viewers        []string `json:"viewers,omitempty"`
	Technicians    []string `json:"technicians,omitempty"`
	Administrators []string `json:"administrators,omitempty"`
	URL            string   `json:"url,omitempty"`
	CAs            string   `json:"cas,omitempty"`
	LocalOff       bool     `json:"localOff,omitempty"`
}
