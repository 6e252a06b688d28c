package fleet

// Graph is how the appliance reaches Microsoft Graph: as an application of its own in
// the organisation's tenant (client credentials). Devices never see any of it.
type Graph struct {
	Tenant       string `json:"tenant,omitempty"`   // directory id
	ClientID     string `json:"clientId,omitempty"` // application id
	SealedSecret []byte `json:"sealedSecret,omitempty"`
	Certificate  string `json:"certificate,omitempty"` // PEM, public; instead of the secret
	SealedKey    []byte `json:"sealedKey,omitempty"`   // the certificate's private key
	Authority    string `json:"authority,omitempty"`   // empty: https://login.microsoftonline.com
	Endpoint     string `json:"endpoint,omitempty"`    // empty: https://graph.microsoft.com
}

// GraphTest is what the test button of the settings for Microsoft Graph found out.
type GraphTest struct {
	OK    bool     `json:"ok"`
	Lines []string `json:"lines"` // what was tried and found, in order
}
