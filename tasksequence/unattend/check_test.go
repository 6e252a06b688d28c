package unattend

import (
	"bytes"
	"strings"
	"testing"
)

func TestSettingsAreChecked(t *testing.T) {
	if problems := everything().Check(); len(problems) > 0 {
		t.Fatal(problems)
	}
	for field, change := range map[string]func(*Settings){
		"Architecture":         func(s *Settings) { s.Architecture = "x64" },
		"ComputerName":         func(s *Settings) { s.ComputerName = "sixteen-letters-" },
		"ComputerName ":        func(s *Settings) { s.ComputerName = "12345" },
		"ComputerName  ":       func(s *Settings) { s.ComputerName = "%SerialNumber%" },
		"ProductKey":           func(s *Settings) { s.ProductKey = NewSecret("ABCDE-12345") },
		"TimeZone":             func(s *Settings) { s.TimeZone = "Middle Earth Standard Time" },
		"SystemLocale":         func(s *Settings) { s.SystemLocale = "german" },
		"UILanguage":           func(s *Settings) { s.UILanguage = "de_DE" },
		"InputLocale":          func(s *Settings) { s.InputLocale = "0407:407" },
		"Accounts[1].Name":     func(s *Settings) { s.Accounts[1].Name = "OPERATOR" },
		"Accounts[0].Name":     func(s *Settings) { s.Accounts[0].Name = "a/b" },
		"Accounts[0].Name ":    func(s *Settings) { s.Accounts[0].Name = "PC-0815" },
		"Accounts[0].Password": func(s *Settings) { s.Accounts[0].Password = NewSecret("a\x00b") },
		"AutoLogon.Count":      func(s *Settings) { s.AutoLogon.Count = 0 },
		"Domain":               func(s *Settings) { s.Workgroup = "HALL" },
		"Domain ":              func(s *Settings) { s.Domain.Blob = NewSecret("x") },
		"Domain.Name":          func(s *Settings) { s.Domain.Name = "corp..example" },
		"Domain.OU":            func(s *Settings) { s.Domain.OU = "Clients" },
		"Domain.Username":      func(s *Settings) { s.Domain.Password = Secret{} },
		"Workgroup":            func(s *Settings) { s.Domain, s.Workgroup = nil, "a b" },
		"Commands[0].Line":     func(s *Settings) { s.Commands[0].Line = strings.Repeat("x", MaxCommand+1) },
		"Commands[0].Pass":     func(s *Settings) { s.Commands[0].Pass = OOBESystem },
		"Commands[0].Order":    func(s *Settings) { s.Commands[0].Order = -1 },
		"Commands[1].Order":    func(s *Settings) { s.Commands[0].Order = 1 },
		"Commands[0].Reboot":   func(s *Settings) { s.Commands[0].Reboot = "Sometimes" },
		"FirstLogon[0].Line":   func(s *Settings) { s.FirstLogon[0].Line = " " },
		"OOBE.ProtectYourPC":   func(s *Settings) { s.OOBE.ProtectYourPC = 4 },
		"OOBE.NetworkLocation": func(s *Settings) { s.OOBE.NetworkLocation = "Moon" },
		"Reseal":               func(s *Settings) { s.Reseal = "Never" },
		"DriverPaths[0]":       func(s *Settings) { s.DriverPaths[0] = "" },
		"RegisteredOwner":      func(s *Settings) { s.RegisteredOwner = "a\nb" },
	} {
		s := everything()
		change(&s)
		problems := s.Check()
		if len(problems) != 1 || problems[0].Field != strings.TrimSpace(field) || problems[0].Remedy == "" {
			t.Errorf("%s: %v", field, problems)
		}
		f := New()
		before := f.Bytes()
		if _, err := f.Merge(s); err == nil || !bytes.Equal(before, f.Bytes()) {
			t.Errorf("%s: merged all the same (%v), or the file was changed", field, err)
		}
	}
}
