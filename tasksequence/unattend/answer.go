package unattend

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// all writes the settings, pass by pass.
func (m *merger) all(s Settings) {
	if s.WindowsSetup {
		m.setup(s)
	}
	m.commands(WindowsPE, componentSetup, s.Commands)
	m.drivers(s)
	if s.KeepDrivers {
		m.in(Generalize, componentSysprep).setBool("PersistAllDeviceInstalls", true)
	}
	m.specialize(s)
	m.commands(AuditUser, componentDeployment, s.Commands)
	m.oobe(s)
}

// setup is what setup.exe reads: it asks for nothing that stands here.
func (m *merger) setup(s Settings) {
	if s.UILanguage != "" {
		m.in(WindowsPE, componentIntlPE).under("SetupUILanguage").set("UILanguage", s.UILanguage)
	}
	m.locales(WindowsPE, componentIntlPE, s)
	user := m.in(WindowsPE, componentSetup).under("UserData")
	user.setBool("AcceptEula", true)
	user.set("FullName", s.RegisteredOwner)
	user.set("Organization", s.RegisteredOrganization)
	if !s.ProductKey.IsEmpty() {
		user.under("ProductKey").setSecret("Key", strings.ToUpper(s.ProductKey.Reveal()))
	}
}

func (m *merger) locales(pass Pass, component string, s Settings) {
	if s.SystemLocale == "" && s.UserLocale == "" && s.UILanguage == "" && s.InputLocale == "" {
		return
	}
	at := m.in(pass, component)
	at.set("InputLocale", s.InputLocale)
	at.set("SystemLocale", s.SystemLocale)
	at.set("UILanguage", s.UILanguage)
	at.set("UserLocale", s.UserLocale)
}

// drivers adds folders that DISM or Setup reads in the offlineServicing pass. Each is an
// entry whose key is an attribute.
func (m *merger) drivers(s Settings) {
	for _, path := range s.DriverPaths {
		list := m.in(OfflineServicing, componentDrivers).under("DriverPaths")
		highest, there := 0, false
		for _, e := range list.node.elements("PathAndCredentials") {
			there = there || strings.EqualFold(e.at("Path").value(), path)
			for _, a := range e.attrs {
				if n, err := strconv.Atoi(a.Value); err == nil && a.Name.Local == "keyValue" {
					highest = max(highest, n)
				}
			}
		}
		if there {
			continue
		}
		key := strconv.Itoa(highest + 1)
		made := list
		made.node = list.node.add("PathAndCredentials", attribute("", "keyValue", key))
		made.path += "/PathAndCredentials[keyValue=" + key + "]"
		made.set("Path", path)
	}
}

func (m *merger) specialize(s Settings) {
	m.locales(Specialize, componentInternational, s)
	m.person(Specialize, s)
	if s.ComputerName != "" || !s.ProductKey.IsEmpty() || s.CopyProfile != nil {
		shell := m.in(Specialize, componentShell)
		shell.set("ComputerName", s.ComputerName)
		shell.setSecret("ProductKey", strings.ToUpper(s.ProductKey.Reveal()))
		if s.CopyProfile != nil {
			shell.setBool("CopyProfile", *s.CopyProfile)
		}
	}
	if s.Workgroup != "" {
		m.in(Specialize, componentJoin).under("Identification").set("JoinWorkgroup", s.Workgroup)
	}
	m.join(s.Domain)
	m.commands(Specialize, componentDeployment, s.Commands)
}

// person is what both specialize and oobeSystem take.
func (m *merger) person(pass Pass, s Settings) {
	if s.TimeZone == "" && s.RegisteredOwner == "" && s.RegisteredOrganization == "" {
		return
	}
	shell := m.in(pass, componentShell)
	zone, _ := WindowsZone(s.TimeZone)
	shell.set("TimeZone", zone)
	shell.set("RegisteredOwner", s.RegisteredOwner)
	shell.set("RegisteredOrganization", s.RegisteredOrganization)
}

func (m *merger) join(d *Domain) {
	if d == nil {
		return
	}
	identification := m.in(Specialize, componentJoin).under("Identification")
	if !d.Blob.IsEmpty() {
		identification.under("Provisioning").setSecret("AccountData", d.Blob.Reveal())
		return
	}
	credentials := identification.under("Credentials")
	credentials.set("Domain", cmp.Or(d.UsernameDomain, d.Name))
	credentials.set("Username", d.Username)
	credentials.setSecret("Password", d.Password.Reveal()) // this element has no hidden form
	identification.set("JoinDomain", d.Name)
	identification.set("MachineObjectOU", d.OU)
}

func (m *merger) oobe(s Settings) {
	m.locales(OOBESystem, componentInternational, s)
	m.person(OOBESystem, s)
	if s.Reseal != "" {
		m.in(OOBESystem, componentDeployment).under("Reseal").set("Mode", s.Reseal)
	}
	if !s.AdministratorPassword.IsEmpty() {
		m.in(OOBESystem, componentShell).under("UserAccounts").password("AdministratorPassword", s.AdministratorPassword)
	}
	for _, a := range s.Accounts {
		entry := m.in(OOBESystem, componentShell).under("UserAccounts", "LocalAccounts").entry("LocalAccount", "Name", a.Name)
		entry.set("DisplayName", a.DisplayName)
		entry.set("Description", a.Description)
		entry.set("Group", a.Group)
		entry.password("Password", a.Password)
	}
	if l := s.AutoLogon; l != nil {
		at := m.in(OOBESystem, componentShell).under("AutoLogon")
		at.setBool("Enabled", true)
		at.set("Username", l.Username)
		at.set("Domain", l.Domain)
		at.set("LogonCount", strconv.Itoa(l.Count))
		at.password("Password", l.Password)
	}
	if o := s.OOBE; o != nil {
		m.firstRun(o)
	}
	if len(s.FirstLogon) > 0 {
		list := m.in(OOBESystem, componentShell).under("FirstLogonCommands")
		list.commands(s.FirstLogon, "SynchronousCommand", "CommandLine", "")
	}
}

func (m *merger) firstRun(o *OOBE) {
	at := m.in(OOBESystem, componentShell).under("OOBE")
	for _, hidden := range []struct {
		name string
		on   bool
	}{
		{"HideEULAPage", o.HideEULA}, {"HideOEMRegistrationScreen", o.HideOEMRegistration}, {"HideOnlineAccountScreens", o.HideOnlineAccountScreens},
		{"HideWirelessSetupInOOBE", o.HideWirelessSetup}, {"HideLocalAccountScreen", o.HideLocalAccount},
		{"SkipMachineOOBE", o.SkipMachineOOBE}, {"SkipUserOOBE", o.SkipUserOOBE},
	} {
		if hidden.on {
			at.setBool(hidden.name, true)
		}
	}
	at.set("NetworkLocation", o.NetworkLocation)
	if o.ProtectYourPC != 0 {
		at.set("ProtectYourPC", strconv.Itoa(o.ProtectYourPC))
	}
}

// commands writes those of one pass.
func (m *merger) commands(pass Pass, component string, all []Command) {
	var mine []Command
	for _, c := range all {
		if c.Pass == pass {
			mine = append(mine, c)
		}
	}
	if len(mine) > 0 {
		m.in(pass, component).under("RunSynchronous").commands(mine, "RunSynchronousCommand", "Path", "WillReboot")
	}
}

// commands merges commands into a list: one with a place takes it, one without is the
// entry that runs the same line, or a new one behind all.
func (s spot) commands(commands []Command, item, line, reboot string) {
	commands = slices.Clone(commands)
	slices.SortStableFunc(commands, func(a, b Command) int { // places first
		return cmp.Compare(min(b.Order, 1), min(a.Order, 1))
	})
	for _, c := range commands {
		order := c.Order
		highest := 0
		for _, e := range s.node.elements(item) {
			n, err := strconv.Atoi(e.at("Order").value())
			if err != nil || n < 1 || n > 1_000_000 {
				continue
			}
			highest = max(highest, n)
			if order == 0 && e.at(line).value() == strings.TrimSpace(c.Line) {
				order = n
			}
		}
		if order == 0 {
			order = highest + 1
		}
		entry := s.entry(item, "Order", strconv.Itoa(order))
		entry.set(line, strings.TrimSpace(c.Line))
		entry.set("Description", c.Description)
		if reboot != "" {
			entry.set(reboot, c.Reboot)
		}
	}
}
