package installed

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// encode writes the configuration as Load reads it, from any folder: paths are absolute.
// It is of one deployment, which removes it at its end.
func (c Config) encode() ([]byte, error) {
	var ca bytes.Buffer
	for _, a := range c.Authorities {
		if err := pem.Encode(&ca, &pem.Block{Type: "CERTIFICATE", Bytes: a.Raw}); err != nil {
			return nil, fmt.Errorf("write the configuration: %w", err)
		}
	}
	variables := map[string]json.RawMessage{}
	for _, v := range c.Variables {
		variables[v.Name] = v.Value
	}
	if c.Passcode != "" {
		text, err := json.Marshal(c.Passcode)
		if err != nil {
			return nil, fmt.Errorf("write the configuration: %w", err)
		}
		variables["Passcode"] = text
	}
	out := map[string]any{"Server": c.Server, "Installation": c.Installation, "CA": ca.String(), "Variables": variables, "Temporary": true}
	if o := c.Certificate; o != nil {
		members := map[string]any{}
		for name, value := range map[string]string{"File": o.CertFile, "Key": o.KeyFile, "PKCS12": o.PKCS12File, "PasswordFile": o.PasswordFile} {
			if value != "" {
				members[name] = value
			}
		}
		if o.Store {
			members["Store"] = map[string]string{"Subject": o.StoreSubject, "Issuer": o.StoreIssuer}
		}
		out["Certificate"] = members
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return append(text, '\n'), nil
}
