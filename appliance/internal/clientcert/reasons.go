package clientcert

import "fmt"

// RefusedError says why a certificate is not accepted. The reason is for the audit
// log, never for the client. It begins with one of the texts below; what follows
// them names authorities and times of a chain that leads to the pool, and nothing
// that a stranger can choose.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// The reasons why a certificate is refused.
const (
	ReasonNone          = "no certificate was shown, only the agent's own key"
	ReasonUnknown       = "signed by an unknown authority"
	ReasonExpired       = "expired"
	ReasonNotYet        = "not yet valid"
	ReasonAuthority     = "its authority is not valid now" // expired, or not valid yet
	ReasonPurpose       = "not for client authentication"
	ReasonIsAuthority   = "it is an authority's certificate, not a machine's"
	ReasonWeak          = "too weak"
	ReasonNotAllowed    = "its authority may not sign it" // path length, name constraints, no authority at all
	ReasonNotUnderstood = "it has a critical extension that is not understood"
	ReasonTooMuch       = "the certificates shown are too many or too large"
	ReasonRevoked       = "revoked"
	ReasonListMissing   = "revocation list is missing"
	ReasonListExpired   = "revocation list is expired"
	ReasonListSignature = "revocation list is not signed by the authority"
	ReasonListNotYet    = "revocation list is not valid yet"
	ReasonNoRule        = "no rule matches"
	ReasonSettings      = "the configured authorities or revocation lists cannot be read"
	ReasonNoKey         = "key mismatch: the caller does not hold the certificate's key" // seen in the TLS handshake, not here
)

func refused(reason string) *RefusedError { return &RefusedError{Reason: reason} }

// refusedFor adds what a technician needs to know to a reason.
func refusedFor(reason, format string, args ...any) *RefusedError {
	return refused(reason + ": " + fmt.Sprintf(format, args...))
}
