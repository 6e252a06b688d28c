package mdt

import (
	"fmt"
	"regexp"
	"strings"

	ts "slipway/tasksequence"
)

// renamed are MDT's properties that Slipway has under another name.
var renamed = map[string]string{
	"osdcomputername":    "ComputerName",
	"timezonename":       "TimeZone",
	"keyboardlocale":     "InputLocale",
	"overrideproductkey": "ProductKey",
	"machineobjectou":    "OU",
}

// ownName returns the name that a property has in Slipway; an error says why it can
// have none.
func ownName(property string) (string, error) {
	if name, ok := renamed[strings.ToLower(property)]; ok {
		return name, nil
	}
	if err := ts.CheckName(property); err != nil {
		return "", err
	}
	if ts.IsReadOnly(property) {
		return "", fmt.Errorf("%s: names that begin with _ are Slipway's own", property)
	}
	return property, nil
}

// nameDetail says that a name changed.
func nameDetail(property, name string) (Outcome, string) {
	if strings.EqualFold(property, name) {
		return Carried, "variable " + name
	}
	return Changed, "variable " + name
}

// folders are MDT's properties that name folders of the share. A device has none of them.
var folders = regexp.MustCompile(`(?i)%(SCRIPTROOT|DEPLOYROOT|TOOLROOT|DEPLOYDRIVE|RESOURCEROOT)%`)

var references = regexp.MustCompile(`%[A-Za-z_][A-Za-z0-9_.-]*%`)

// ownText renames the references in a text. What would be a doubled percent sign to
// Slipway only is doubled again.
func ownText(text string) string {
	text = strings.ReplaceAll(text, "%%", "%%%%")
	return references.ReplaceAllStringFunc(text, func(reference string) string {
		if name, ok := renamed[strings.ToLower(strings.Trim(reference, "%"))]; ok {
			return "%" + name + "%"
		}
		return reference
	})
}

// script reports whether a value is computed by VBScript.
func script(value string) bool { return strings.Count(value, "#") >= 2 }

// wizard are the properties that only steer MDT's wizard, its share and its own scripts.
var wizard = regexp.MustCompile(`(?i)^(Skip.*|Wizard.*|HideShell|NoExtraPartition|EventService|DeployRoot|ResourceRoot|SLShare.*|Logs?Path|_SMSTSORGNAME|_SMSTSPackageName|OSInstall|UserDataLocation|KeyboardLocalePE|BDDAllUsers|MonitorServer|TaskSequenceName|CustomWizard.*)$`)

const noWizard = "it steers MDT's wizard or scripts, which Slipway does not have"

// listName takes a numbered property apart: Applications002 is the second of Applications.
var listName = regexp.MustCompile(`^(.*[A-Za-z_*)])(\d{3})$`)

// node makes the name of a step fit: one line, not too long, not empty.
func stepName(name, fallback string) string {
	name = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, name)), " ")
	if len(name) > ts.MaxName {
		name = strings.ToValidUTF8(name[:ts.MaxName], "")
	}
	if name == "" {
		return fallback
	}
	return name
}

func bounded(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most-3], "") + "…"
	}
	return text
}
