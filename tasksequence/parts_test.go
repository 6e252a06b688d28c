package tasksequence

import (
	"strings"
	"testing"
)

func TestStepsThatAWindowsPEImageLacksAPartFor(t *testing.T) {
	lacking := map[string]string{PartPowerShell: "PowerShell", "hta": "HTML applications"}
	script := func(id string, more string) string {
		return `{"id":"` + id + `","name":"` + id + `","definition":"run-powershell-script","settings":{"Script":"x"}` + more + `}`
	}
	reboot := `{"id":"r","name":"R","definition":"reboot","settings":{"RebootRequested":"disk"}}`
	for _, c := range []struct{ name, steps, want string }{
		{"in Windows PE", script("a", ""), "a: Run PowerShell script needs PowerShell, which the image X lacks"},
		{"in the installed Windows", `{"id":"p","name":"P","definition":"prepare-operating-system"},` + reboot + `,` + script("a", ""), ""},
		{"kept out of Windows PE", script("a", `,"environments":["fullos"]`), ""},
		{"perhaps", script("a", `,"condition":{"variable":"Model","exists":true}`), "warning a: Run PowerShell script needs PowerShell, which the image X lacks"},
		{"passed over", script("a", `,"continueOnError":true`), "warning a: Run PowerShell script needs PowerShell, which the image X lacks"},
		{"without PowerShell", `{"id":"c","name":"C","definition":"run-command-line","settings":{"Command":"ver"}}`, ""},
	} {
		s, err := ParseSequence([]byte(`{"id":"s","name":"S","steps":[` + c.steps + `]}`))
		if err != nil {
			t.Fatal(c.name, err)
		}
		doc, err := Pin(s, Sources{Catalogue: BuiltinCatalogue()})
		if err != nil {
			t.Fatal(c.name, err)
		}
		plan, err := doc.Plan()
		if err != nil {
			t.Fatal(c.name, err)
		}
		var got []string
		for _, p := range plan.ForeseeParts("the image X", lacking) {
			line := p.Step + ": " + p.Detail
			if p.Warning {
				line = "warning " + line
			}
			if got = append(got, line); !strings.Contains(p.Remedy, "slipway image report --script") {
				t.Errorf("%s: the remedy is %q", c.name, p.Remedy)
			}
		}
		if strings.Join(got, "\n") != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
		if rest := plan.ForeseeParts("the image X", map[string]string{"hta": "HTML applications"}); len(rest) > 0 {
			t.Errorf("%s: with PowerShell there is %v", c.name, rest)
		}
	}
	own := Definition{ID: "own", Script: &Script{Interpreter: `C:\Windows\System32\WindowsPowerShell\v1.0\PowerShell.exe -File`}}
	if len(own.Parts()) != 1 || len(Definition{Script: &Script{Interpreter: "cmd.exe /c"}}.Parts()) != 0 {
		t.Error("a definition of one's own is not looked at")
	}
}
