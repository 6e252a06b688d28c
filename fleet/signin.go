package fleet

import "time"

// SignIn is how devices, and people at the console, prove who they are: the
// settings of all mechanisms but the passcodes themselves.
type SignIn struct {
	Anonymous        bool              `json:"anonymous"` // nobody is asked; anyone may run everything
	Certificate      CertificateSignIn `json:"certificate"`
	Entra            EntraSignIn       `json:"entra"`
	PasscodeInFullOS bool              `json:"passcodeInFullOS"` // an installed OS may use the variable Passcode beside Entra ID and certificates
	Console          ConsoleSignIn     `json:"console"`
}

// CertificateSignIn is sign-in with a client certificate, in an installed OS only.
type CertificateSignIn struct {
	Enabled bool              `json:"enabled"`
	CAs     string            `json:"cas,omitempty"`    // PEM, the pool that client certificates must chain to
	CRL     string            `json:"crl,omitempty"`    // PEM, revocation lists as uploaded
	CRLURL  string            `json:"crlUrl,omitempty"` // http(s), fetched and cached
	Rules   []CertificateRule `json:"rules,omitempty"`  // one must match; none: every certificate of the pool
}

// CertificateRule matches one name of a certificate.
type CertificateRule struct {
	Field   string `json:"field"`   // subject.cn, subject.o, subject.ou, san.dns, san.email, san.uri
	Pattern string `json:"pattern"` // '*' stands for any characters; letter case does not matter
}

// EntraSignIn is the OAuth device flow with Entra ID or any OpenID provider that
// has it.
type EntraSignIn struct {
	Enabled      bool     `json:"enabled"`
	Tenant       string   `json:"tenant,omitempty"`
	Issuer       string   `json:"issuer,omitempty"` // empty: https://login.microsoftonline.com/<tenant>/v2.0
	ClientID     string   `json:"clientId,omitempty"`
	SealedSecret []byte   `json:"sealedSecret,omitempty"` // for providers that ask for one
	Roles        []string `json:"roles,omitempty"`        // one of them is needed; "*": whoever the provider lets in
	RoleClaim    string   `json:"roleClaim,omitempty"`    // empty: roles
	CAs          string   `json:"cas,omitempty"`          // PEM, for a provider of one's own
}

// ConsoleSignIn is sign-in of people at the console with an OpenID provider.
type ConsoleSignIn struct {
	Enabled        bool     `json:"enabled"`
	Name           string   `json:"name,omitempty"` // on the button
	Issuer         string   `json:"issuer,omitempty"`
	ClientID       string   `json:"clientId,omitempty"`
	SealedSecret   []byte   `json:"sealedSecret,omitempty"`
	RoleClaim      string   `json:"roleClaim,omitempty"` // empty: roles
	Viewers        []string `json:"viewers,omitempty"`   // values of the claim
	Technicians    []string `json:"technicians,omitempty"`
	Administrators []string `json:"administrators,omitempty"`
	URL            string   `json:"url,omitempty"` // origin of the console, e.g. https://slipway.example:8443; empty: as the browser names it
	CAs            string   `json:"cas,omitempty"`
	LocalOff       bool     `json:"localOff"` // only break-glass accounts may use a password
}

// Scope limits what a passcode, and a token that came of it, may reach. An empty
// list is no limit.
type Scope struct {
	Sequences []string `json:"sequences,omitempty"` // ids
	Devices   []string `json:"devices,omitempty"`   // our ids; rests on what the device says of itself
	Networks  []string `json:"networks,omitempty"`  // CIDR prefixes of the peer address
}

// Passcode is a passcode as kept: never its value.
type Passcode struct {
	ID        string    `json:"id"`   // "default" for the classic shared one, else its name; a replaced one has "/previous" behind it
	Hash      string    `json:"hash"` // argon2id in PHC form; all that are kept share salt and costs
	Bits      float64   `json:"bits"` // estimated strength when it was set
	Forced    bool      `json:"forced,omitempty"`
	SetAt     time.Time `json:"setAt"`
	SetBy     string    `json:"setBy"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // zero: never
	MaxUses   int       `json:"maxUses,omitempty"`  // sign-ins; 0: any number
	Uses      int       `json:"uses,omitempty"`
	Scope     Scope     `json:"scope,omitzero"`
}

// PasscodeStatus is what may be shown of a passcode.
type PasscodeStatus struct {
	Name      string    `json:"name,omitempty"`
	Set       bool      `json:"set"`
	SetAt     time.Time `json:"setAt,omitzero"`
	SetBy     string    `json:"setBy,omitempty"`
	Bits      float64   `json:"bits,omitempty"`
	Forced    bool      `json:"forced,omitempty"` // weak, and accepted all the same
	Age       string    `json:"age,omitempty"`    // in words
	Old       bool      `json:"old"`              // older than the reminder age
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	Expired   bool      `json:"expired,omitempty"`
	MaxUses   int       `json:"maxUses,omitempty"`
	Uses      int       `json:"uses,omitempty"`
	Scope     Scope     `json:"scope,omitzero"`
	Previous  time.Time `json:"previous,omitzero"` // until when the one before is accepted as well
}

// SignInTest is what a test button found out.
type SignInTest struct {
	Mechanism Mechanism `json:"mechanism"`
	OK        bool      `json:"ok"`
	Lines     []string  `json:"lines"` // what was tried and found, in order
}

// SignInPreview is what a device would be asked now.
type SignInPreview struct {
	Environment string      `json:"environment"` // linuxpe, winpe, fullos
	Mechanisms  []Mechanism `json:"mechanisms"`
	Text        string      `json:"text"` // in a sentence
}
