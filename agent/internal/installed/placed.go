package installed

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// PlacedConfig is the configuration of an agent that a boot image puts into the system
// that it installs: what Load reads there. server is "host:port".
func PlacedConfig(server, installation string, authorities []*x509.Certificate) ([]byte, error) {
	var ca bytes.Buffer
	for _, c := range authorities {
		if err := pem.Encode(&ca, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			return nil, fmt.Errorf("write the agent's configuration: %w", err)
		}
	}
	text, err := json.MarshalIndent(map[string]any{
		"Server": server, "Installation": installation, "CA": ca.String(), "Temporary": true}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the agent's configuration: %w", err)
	}
	return append(text, '\n'), nil
}
