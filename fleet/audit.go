package fleet

import "time"

// AuditEntry is one line of the append-only audit log. No field ever holds a secret.
type AuditEntry struct {
	Format  int       `json:"format"` // 1
	Number  int64     `json:"n"`
	Time    time.Time `json:"t"`
	Actor   string    `json:"actor"`  // account, "local" (the socket), "device", "passcode"
	Action  string    `json:"action"` // dotted: passcode.refused, deployment.succeeded, account.added
	Object  string    `json:"object,omitempty"`
	Device  string    `json:"device,omitempty"` // our id, or the claim in short
	Address string    `json:"address,omitempty"`
	Outcome string    `json:"outcome"` // ok, refused, error
	Reason  string    `json:"reason,omitempty"`
	Count   int       `json:"count,omitempty"` // merged repeats, when above 1
	First   time.Time `json:"first,omitzero"`  // of the merged repeats
}
