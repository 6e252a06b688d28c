package dhcpoptions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"slipway/netboot"
)

// keaClass is one entry of "client-classes" (Kea 2.2, section 14).
type keaClass struct {
	Name       string      `json:"name"`
	Test       string      `json:"test"`
	NextServer string      `json:"next-server,omitempty"`
	BootFile   string      `json:"boot-file-name,omitempty"`
	Defs       []keaDef    `json:"option-def,omitempty"`
	Data       []keaOption `json:"option-data,omitempty"`
}

type keaDef struct {
	Name string `json:"name"`
	Code int    `json:"code"`
	Type string `json:"type"`
}

type keaOption struct {
	Name       string `json:"name"`
	Code       int    `json:"code"`
	Data       string `json:"data"`
	CSV        *bool  `json:"csv-format,omitempty"`
	AlwaysSend bool   `json:"always-send"`
}

func kea(v Values) (string, error) {
	var classes []keaClass
	for _, c := range v.choices() {
		arch := keaArch(c)
		if c.HTTP {
			classes = append(classes, keaClass{Name: "slipway-" + c.Name, NextServer: v.Address.String(), BootFile: c.Loader,
				Test: "substring(option[60].hex,0,10) == 'HTTPClient' and " + arch,
				// The firmware ignores an answer without this class.
				Data: []keaOption{{Name: "vendor-class-identifier", Code: 60, Data: "HTTPClient", AlwaysSend: true}}})
			continue
		}
		const pxe = "substring(option[60].hex,0,9) == 'PXEClient' and "
		const ipxe = "(option[77].hex == 'iPXE' or substring(option[77].hex,1,4) == 'iPXE')"
		classes = append(classes,
			keaClass{Name: "slipway-" + c.Name, NextServer: v.Address.String(), BootFile: c.Loader, Test: pxe + arch + " and not " + ipxe},
			keaClass{Name: "slipway-" + c.Name + "-ipxe", NextServer: v.Address.String(), BootFile: c.Script, Test: pxe + arch + " and " + ipxe})
	}
	no := false
	classes = append(classes, keaClass{Name: "slipway-agent", Test: "option[60].hex == '" + netboot.ClassAgent + "'",
		// Within the class option 43 is plain bytes.
		Defs: []keaDef{{Name: "vendor-encapsulated-options", Code: 43, Type: "binary"}},
		Data: []keaOption{
			{Name: "vendor-class-identifier", Code: 60, Data: netboot.ClassAgent, AlwaysSend: true},
			{Name: "vendor-encapsulated-options", Code: 43, Data: v.agent(""), CSV: &no, AlwaysSend: true},
		}})
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(classes); err != nil {
		return "", err
	}
	return fmt.Sprintf("// Slipway at %s. Put this into \"Dhcp4\" of kea-dhcp4.conf.\n\"client-classes\": %s\n", v.Address, strings.TrimSpace(b.String())), nil
}

func keaArch(c netboot.Choice) string {
	var out []string
	for _, n := range c.Archs {
		out = append(out, fmt.Sprintf("option[93].hex == 0x%04x", n))
	}
	if len(out) == 1 {
		return out[0]
	}
	return "(" + strings.Join(out, " or ") + ")"
}
