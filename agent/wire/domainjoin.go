package wire

// DomainJoinRequest is the body of POST /deployments/{id}/domain-join: the computer of
// this deployment is to get an account in the domain.
type DomainJoinRequest struct {
	ComputerName string `json:"computerName"` // 15 characters at most
	OU           string `json:"ou,omitempty"` // distinguished name
}

// DomainJoin answers a DomainJoinRequest.
type DomainJoin struct {
	Blob string `json:"blob"` // base64, as djoin /requestODJ takes it; a secret
}
