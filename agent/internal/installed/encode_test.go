package installed

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// The copy that the service reads says the same, wherever it lies.
func TestEncodedConfigurationSaysTheSame(t *testing.T) {
	text, err := os.ReadFile("testdata/agent-config.json")
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndexByte(text, '}')
	for name, more := range map[string]string{
		"files":  `"Certificate":{"PKCS12":"device.p12","PasswordFile":"sub/password"}`,
		"pem":    `"Certificate":{"File":"device.pem","Key":"device.key"}`,
		"store":  `"Certificate":{"Store":{"Subject":"PC","Issuer":"CA"}}`,
		"values": `"Temporary":false`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c, err := parse(append(bytes.TrimRight(bytes.Clone(text[:end]), " \n"), ","+more+"}"...), dir, os.ReadFile)
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := c.encode()
			if err != nil {
				t.Fatal(err)
			}
			again, err := parse(encoded, filepath.Join(dir, "elsewhere"), os.ReadFile)
			if err != nil {
				t.Fatal(err)
			}
			c.Temporary = true
			if !reflect.DeepEqual(c, again) {
				t.Errorf("%+v\nis not\n%+v", again, c)
			}
		})
	}
}
