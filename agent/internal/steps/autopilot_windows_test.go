package steps

import (
	"strings"
	"testing"

	fakes "slipway/agent/winetest/script"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// What the script asks stands here a second time: it is what Windows' documentation
// names, and no test of ours can ask Windows.
const askedOfWindows = `*Get-CimInstance -ClassName Win32_BIOS*-Namespace root/cimv2/mdm/dmmap -ClassName MDM_DevDetail_Ext01 -Filter "InstanceID='Ext' AND ParentID='./DevDetail'"*DeviceHardwareData*`

func TestRegisterWithAutopilotOnWindows(t *testing.T) {
	b := newWinBench(t)
	asks := func(output string, exit int) fakes.Call {
		c := exits(call("powershell -NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -File *.ps1"), exit, output)
		c.InputAt, c.Input = 6, askedOfWindows
		return c
	}
	a := &answers{list: []wire.AutopilotState{{State: wire.AutopilotImporting, Detail: "on its way"}, {State: wire.AutopilotAssigned, Detail: "done"}}}
	b.autopilot = a
	out := b.works(tasksequence.RegisterWithAutopilot, map[string]any{"GroupTag": "Kiosk"}, asks("serial=5CD 1 \r\nhash="+strings.Repeat("A", 1000)+"\r\nhash=BB==\r\n", 0))
	if want := (wire.AutopilotRegistration{Serial: "5CD 1", HardwareHash: strings.Repeat("A", 1000) + "BB==", GroupTag: "Kiosk"}); len(a.asked) != 2 || a.asked[0] != want || out.Message != "done" {
		t.Errorf("%+v, %+v", a.asked, out)
	}
	if all := strings.Join(b.lines, "\n"); strings.Contains(all, "AAAA") || !strings.Contains(all, "a hardware hash of 1004 characters") {
		t.Errorf("the log:\n%s", all)
	}
	for words, c := range map[string]fakes.Call{"exit code 1": asks("", 1), "no hardware hash": asks("serial=5CD1\r\n", 0)} {
		_, err := b.run(tasksequence.RegisterWithAutopilot, nil, c)
		b.fails(err, words)
	}
}
