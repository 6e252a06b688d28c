package mdt

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestConditions(t *testing.T) {
	variable := func(name, operator, value string) string {
		return `<expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Variable">` + name + `</variable><variable name="Operator">` + operator +
			`</variable><variable name="Value">` + value + `</variable></expression>`
	}
	query := func(q string) string {
		return `<expression type="SMS_TaskSequence_WMIConditionExpression"><variable name="Namespace">root\cimv2</variable><variable name="Query">` + q + `</variable></expression>`
	}
	for _, c := range []struct{ xml, want string }{
		{``, `null`},
		{variable("Make", "equals", "Dell"), `{"variable":"Make","equals":"Dell"}`},
		{variable("OSDComputerName", "notEquals", "%OSDComputerName%"), `{"variable":"ComputerName","notEquals":"%ComputerName%"}`},
		{variable("Memory", "greaterEqual", "4000"), `{"or":[{"variable":"Memory","greater":"4000"},{"variable":"Memory","equals":"4000"}]}`},
		{variable("Memory", "lessEqual", "4000"), `{"or":[{"variable":"Memory","less":"4000"},{"variable":"Memory","equals":"4000"}]}`},
		{variable("X", "exists", ""), `{"variable":"X","exists":true}`},
		{variable("X", "notExists", ""), `{"variable":"X","exists":false}`},
		{variable("Model", "like", "Lat?tude*"), `{"variable":"Model","matches":"(?i)^Lat.tude.*$"}`},
		{variable("Model", "notLike", "a.b"), `{"not":{"variable":"Model","matches":"(?i)^a\\.b$"}}`},
		{variable("_SMSTSInWinPE", "equals", "true"), `{"variable":"_Environment","in":["linuxpe","winpe"]}`},
		{variable("_SMSTSInWinPE", "notEquals", "TRUE"), `{"not":{"variable":"_Environment","in":["linuxpe","winpe"]}}`},
		{variable("A", "equals", "1") + variable("B", "equals", "2"), `{"and":[{"variable":"A","equals":"1"},{"variable":"B","equals":"2"}]}`},
		{`<operator type="or">` + variable("A", "equals", "1") + `<operator type="not">` + variable("B", "equals", "2") + `</operator></operator>`,
			`{"or":[{"variable":"A","equals":"1"},{"not":{"or":[{"variable":"B","equals":"2"}]}}]}`},
		{query(`select * from win32_bios where SerialNumber = "A%1"`), `{"variable":"SerialNumber","equals":"A%%1"}`},
		{query(`SELECT Model FROM Win32_ComputerSystem WHERE Model LIKE '%Book%' OR Model = 'X'`), `{"or":[{"variable":"Model","matches":"(?i)^.*Book.*$"},{"variable":"Model","equals":"X"}]}`},
	} {
		im := &importer{compared: map[string]bool{}}
		root, err := parseXML([]byte("<condition>" + c.xml + "</condition>"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := im.condition(root)
		text, marshalErr := json.Marshal(got)
		if err != nil || marshalErr != nil || string(text) != c.want {
			t.Errorf("%s\n%s, %v\nwant %s", c.xml, text, err, c.want)
		}
	}
	for xml, want := range map[string]string{
		variable("_SMSTSMake", "equals", "x"):          "_SMSTSMake",
		variable("A", "resembles", "x"):                "resembles",
		variable("AdminPassword", "equals", "x"):       "secret",
		variable("A", "like", "%B%*"):                  "pattern",
		`<operator type="xor"><a/></operator>`:         "kind a",
		`<operator type="and"/>`:                       "empty",
		`<osConditionGroup/>`:                          "osConditionGroup",
		query("select * from win32_printer"):           "WMI",
		query("select * from win32_battery where A=1"): "WMI",
		query(`select * from win32_computersystem where Model = "a" and Model = "b" or Model = "c"`):                              "WMI",
		`<expression type="SMS_TaskSequence_RegistryConditionExpression"><variable name="KeyPath">HKLM\x</variable></expression>`: "Registry",
	} {
		root, err := parseXML([]byte("<condition>" + xml + "</condition>"))
		if err != nil {
			t.Fatal(err)
		}
		im := &importer{compared: map[string]bool{}}
		if got, err := im.condition(root); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", xml, got, err, want)
		}
		if root.mark.outcome != Left || len(root.children) > 0 && root.children[0].mark.outcome != "" {
			t.Errorf("%s is marked %+v", xml, root.mark)
		}
	}
}
