package fleet

import "time"

// Mechanism is a way to prove that one may deploy.
type Mechanism string

// The mechanisms, in the order a device tries them.
const (
	MechanismAnonymous   Mechanism = "anonymous"
	MechanismCertificate Mechanism = "certificate"
	MechanismEntra       Mechanism = "entra"
	MechanismPasscode    Mechanism = "passcode"
)

// Role is what an account or API token may do.
type Role string

// The roles, each including the ones before it.
const (
	RoleViewer        Role = "viewer"
	RoleTechnician    Role = "technician"
	RoleAdministrator Role = "administrator"
)

// Includes reports whether r may do what other may do.
func (r Role) Includes(other Role) bool { return r.rank() >= other.rank() && r.rank() > 0 }

func (r Role) rank() int {
	switch r {
	case RoleViewer:
		return 1
	case RoleTechnician:
		return 2
	case RoleAdministrator:
		return 3
	}
	return 0
}

// Account is a console account.
type Account struct {
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	Hash      string    `json:"hash,omitempty"` // argon2id in PHC form; never shown; empty for people of a provider
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy,omitempty"`
	LastSeen  time.Time `json:"lastSeen,omitzero"`

	BreakGlass bool   `json:"breakGlass,omitempty"` // may use its password when local passwords are off
	Issuer     string `json:"issuer,omitempty"`     // OpenID provider the person comes from; empty for a local account
	Subject    string `json:"subject,omitempty"`    // the provider's name for the person
}

// Session is a signed-in browser. The cookie's value is kept only as a hash.
type Session struct {
	Hash      string    `json:"hash"` // hex SHA-256 of the cookie value
	Account   string    `json:"account"`
	CSRF      string    `json:"csrf"`
	Address   string    `json:"address"`
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// TokenKind tells device tokens from API tokens of scripts.
type TokenKind string

// The kinds of tokens.
const (
	TokenDevice TokenKind = "device"
	TokenAPI    TokenKind = "api"
)

// Token is a bearer token as kept: a hash, never the value.
type Token struct {
	Hash        string    `json:"hash"` // hex SHA-256 of the token
	ID          string    `json:"id"`   // short public id, for lists and revocation
	Kind        TokenKind `json:"kind"`
	Name        string    `json:"name,omitempty"` // API tokens
	Role        Role      `json:"role,omitempty"` // API tokens
	DeviceID    string    `json:"deviceId,omitempty"`
	Deployment  string    `json:"deployment,omitempty"`
	Mechanism   Mechanism `json:"mechanism,omitempty"`
	Actor       string    `json:"actor,omitempty"`
	KeyBinding  string    `json:"keyBinding,omitempty"` // hex SHA-256 of the client certificate (RFC 8705); empty for scripts
	Address     string    `json:"address,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Passcode    string    `json:"passcode,omitempty"` // id of the passcode that was typed
	Scope       Scope     `json:"scope,omitzero"`
	Ended       bool      `json:"ended,omitempty"` // its deployment has ended: good only for its last reports
	CreatedAt   time.Time `json:"createdAt"`
	ExpiresAt   time.Time `json:"expiresAt"`
}

// Wait is a throttling counter that survives a restart. Key names what is held
// back: "addr:192.0.2.7", "dev:<claim>", "seg:192.0.2.0/24", "all", "console:<addr>".
type Wait struct {
	Key      string    `json:"key"`
	Failures int       `json:"failures"`
	Until    time.Time `json:"until"`
	Last     time.Time `json:"last"`
}

// Held is a device held back by a segment or total cap, as the console lists it.
type Held struct {
	Code     string    `json:"code"` // short code shown on the device's screen
	Address  string    `json:"address"`
	Device   string    `json:"device,omitempty"`
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since"`
	Released bool      `json:"released"`
}

// Installation is the one record that makes this appliance itself.
type Installation struct {
	ID          string      `json:"id"` // lower case base32, 16 characters; TLS name <ID>.slipway.internal
	CreatedAt   time.Time   `json:"createdAt"`
	Authorities []Authority `json:"authorities"`         // leafs are signed by the first; a newer one behind it is pending, an older one is old
	SetupCode   string      `json:"setupCode,omitempty"` // hex SHA-256 of the one-time setup code; empty once used
}

// Authority is a certificate authority of the installation.
type Authority struct {
	Certificate []byte    `json:"certificate"` // DER
	SealedKey   []byte    `json:"sealedKey"`   // PKCS#8, sealed
	CreatedAt   time.Time `json:"createdAt"`
}

// Settings are the settings effective at once, changed by console, API and CLI.
type Settings struct {
	Keyboard           string   `json:"keyboard"`             // keyboard layout offered at the prompt, e.g. "us", "de"
	SharedMACs         []string `json:"sharedMacs,omitempty"` // docks and USB adapters that many devices use
	PasscodeMaxAgeDays int      `json:"passcodeMaxAgeDays"`   // reminder, 0 = never
}
