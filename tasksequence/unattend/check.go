package unattend

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"slipway/tasksequence"
)

// Lengths that Windows holds to, in characters.
const (
	MaxComputerName = 15 // NetBIOS
	MaxAccountName  = 20
	MaxCommand      = 259  // Path of RunSynchronousCommand
	MaxFirstLogon   = 1024 // CommandLine of SynchronousCommand
	MaxDescription  = 256
	MaxPassword     = 127
	MaxOrder        = 500
)

var (
	localeForm   = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-[A-Za-z]{5,8})?$`)
	keyboardForm = regexp.MustCompile(`^[0-9A-Fa-f]{4}:([0-9A-Fa-f]{8}|\{[0-9A-Fa-f-]{36}\}\{[0-9A-Fa-f-]{36}\})$`)
	nameForm     = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	digitsOnly   = regexp.MustCompile(`^[0-9]+$`)
	keyForm      = regexp.MustCompile(`^[A-Za-z0-9]{5}(-[A-Za-z0-9]{5}){4}$`)
	domainForm   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$`)
	unitForm     = regexp.MustCompile(`(?i)^(OU|CN)=([^,=\\]|\\.)+(,(OU|CN|DC)=([^,=\\]|\\.)+)*$`)
)

// Check reports all that is wrong with the settings by themselves.
func (s Settings) Check() tasksequence.Problems {
	c := &checks{}
	if !slices.Contains([]string{AMD64, ARM64, X86}, s.Architecture) {
		c.report("Architecture", fmt.Sprintf("%q is not an architecture", s.Architecture), "Use amd64, arm64 or x86.")
	}
	c.texts(s)
	c.locales(s)
	c.computer(s)
	c.accounts(s)
	c.domain(s)
	c.commands("Commands", s.Commands, MaxCommand, true)
	c.commands("FirstLogon", s.FirstLogon, MaxFirstLogon, false)
	if s.OOBE != nil {
		if s.OOBE.ProtectYourPC < 0 || s.OOBE.ProtectYourPC > 3 {
			c.report("OOBE.ProtectYourPC", fmt.Sprintf("%d is not a value", s.OOBE.ProtectYourPC), "Use 1 to 3, or 0 to leave it out.")
		}
		c.oneOf("OOBE.NetworkLocation", s.OOBE.NetworkLocation, "Home", "Work", "Other")
	}
	c.oneOf("Reseal", s.Reseal, "Audit", "OOBE")
	for i, path := range s.DriverPaths {
		if strings.TrimSpace(path) == "" {
			c.report(fmt.Sprintf("DriverPaths[%d]", i), "the path is empty", "Leave it out.")
		}
	}
	return c.problems
}

type checks struct{ problems tasksequence.Problems }

func (c *checks) report(field, detail, remedy string) {
	c.problems = append(c.problems, tasksequence.Problem{Field: field, Detail: detail, Remedy: remedy})
}

func (c *checks) oneOf(field, value string, choices ...string) {
	if value != "" && !slices.Contains(choices, value) {
		c.report(field, fmt.Sprintf("%q is not a value", value), "Use one of "+strings.Join(choices, ", ")+".")
	}
}

// text checks what XML can carry; a secret's value is not shown.
func (c *checks) text(field, text string, most int) {
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return r < 0x20 && r != '\t' || r == 0xfffe || r == 0xffff || r == 0x7f
	}):
		c.report(field, "it holds characters that an answer file cannot carry", "Remove control characters and line ends.")
	case most > 0 && utf8.RuneCountInString(text) > most:
		c.report(field, fmt.Sprintf("it is longer than %d characters", most), "Shorten it.")
	}
}

func (c *checks) texts(s Settings) {
	c.text("RegisteredOwner", s.RegisteredOwner, MaxDescription)
	c.text("RegisteredOrganization", s.RegisteredOrganization, MaxDescription)
	c.text("AdministratorPassword", s.AdministratorPassword.Reveal(), MaxPassword)
	for i, path := range s.DriverPaths {
		c.text(fmt.Sprintf("DriverPaths[%d]", i), path, MaxCommand)
	}
	if key := s.ProductKey.Reveal(); key != "" && !keyForm.MatchString(key) {
		c.report("ProductKey", "it does not have the form of a product key", "Five groups of five letters and digits, joined by hyphens.")
	}
}

func (c *checks) locales(s Settings) {
	for _, l := range []struct{ field, value string }{{"SystemLocale", s.SystemLocale}, {"UserLocale", s.UserLocale}, {"UILanguage", s.UILanguage}} {
		if l.value != "" && !localeForm.MatchString(l.value) {
			c.report(l.field, fmt.Sprintf("%q is not a locale of Windows", l.value), "Name language and region, for example de-DE.")
		}
	}
	for part := range strings.SplitSeq(s.InputLocale, ";") {
		if part = strings.TrimSpace(part); s.InputLocale != "" && !localeForm.MatchString(part) && !keyboardForm.MatchString(part) {
			c.report("InputLocale", fmt.Sprintf("%q is neither a locale nor a keyboard layout", part), "For example de-DE or 0407:00000407; several are separated by ;.")
		}
	}
	if _, ok := WindowsZone(s.TimeZone); s.TimeZone != "" && !ok {
		c.report("TimeZone", fmt.Sprintf("Windows has no time zone %q", s.TimeZone), "tzutil /l lists them, for example \"W. Europe Standard Time\".")
	}
}

func (c *checks) computer(s Settings) {
	if s.ComputerName == "" || s.ComputerName == "*" {
		return
	}
	name := s.ComputerName
	switch {
	case utf8.RuneCountInString(name) > MaxComputerName:
		c.report("ComputerName", fmt.Sprintf("%q has %d characters; Windows takes %d at most", name, utf8.RuneCountInString(name), MaxComputerName), "Shorten it.")
	case !nameForm.MatchString(name):
		c.report("ComputerName", fmt.Sprintf("%q cannot be the name of a computer", name), "Use letters, digits and hyphens. A %NAME% that stayed has no variable.")
	case digitsOnly.MatchString(name):
		c.report("ComputerName", fmt.Sprintf("%q has digits only; Windows refuses such a name", name), "Add a letter.")
	case strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-"):
		c.report("ComputerName", fmt.Sprintf("%q begins or ends with a hyphen", name), "Remove it.")
	}
}

func (c *checks) accounts(s Settings) {
	seen := map[string]bool{"administrator": true}
	for i, a := range s.Accounts {
		field := func(member string) string { return fmt.Sprintf("Accounts[%d].%s", i, member) }
		switch folded := strings.ToLower(a.Name); {
		case !accountName(a.Name):
			c.report(field("Name"), fmt.Sprintf("%q cannot be the name of an account", a.Name), fmt.Sprintf(`At most %d characters, none of "/\[]:;|=,+*?<>@, and not dots or blanks alone.`, MaxAccountName))
		case seen[folded]:
			c.report(field("Name"), fmt.Sprintf("there is another account %q", a.Name), "The built-in Administrator is set by AdministratorPassword; give others their own names.")
		case strings.EqualFold(a.Name, s.ComputerName):
			c.report(field("Name"), fmt.Sprintf("the account is called as the computer, %q", a.Name), "Windows refuses that: rename one of them.")
		default:
			seen[folded] = true
		}
		c.text(field("DisplayName"), a.DisplayName, MaxDescription)
		c.text(field("Description"), a.Description, MaxDescription)
		c.text(field("Group"), a.Group, MaxDescription)
		c.text(field("Password"), a.Password.Reveal(), MaxPassword)
	}
	l := s.AutoLogon
	if l == nil {
		return
	}
	c.text("AutoLogon.Password", l.Password.Reveal(), MaxPassword)
	c.text("AutoLogon.Domain", l.Domain, MaxDescription)
	if !accountName(l.Username) {
		c.report("AutoLogon.Username", fmt.Sprintf("%q cannot be the name of an account", l.Username), "Name the account that is signed in.")
	}
	if l.Count < 1 {
		c.report("AutoLogon.Count", fmt.Sprintf("%d is not how often an account is signed in", l.Count), "Use 1 or more.")
	}
}

func accountName(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= MaxAccountName && strings.Trim(name, ". ") != "" && !strings.EqualFold(name, "none") &&
		!strings.ContainsAny(name, `"/\[]:;|=,+*?<>@`) && !strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

func (c *checks) domain(s Settings) {
	if w := s.Workgroup; w != "" && (utf8.RuneCountInString(w) > MaxComputerName || !nameForm.MatchString(w)) {
		c.report("Workgroup", fmt.Sprintf("%q cannot be the name of a workgroup", w), fmt.Sprintf("At most %d letters, digits and hyphens.", MaxComputerName))
	}
	if s.Workgroup != "" && strings.EqualFold(s.Workgroup, s.ComputerName) {
		c.report("Workgroup", "the workgroup is called as the computer", "Windows refuses that: rename one of them.")
	}
	d := s.Domain
	if d == nil {
		return
	}
	if s.Workgroup != "" {
		c.report("Domain", "a domain and a workgroup cannot both be joined", "Keep one of them.")
	}
	if !d.Blob.IsEmpty() {
		c.text("Domain.Blob", d.Blob.Reveal(), 0)
		if d.Name != "" || d.OU != "" || d.Username != "" || !d.Password.IsEmpty() {
			c.report("Domain", "an offline join names domain, unit and account in its blob", "Leave out either the blob or the others.")
		}
		return
	}
	if len(d.Name) > 255 || !domainForm.MatchString(d.Name) {
		c.report("Domain.Name", fmt.Sprintf("%q is not the name of a domain", d.Name), "For example corp.example.com.")
	}
	if d.OU != "" && !unitForm.MatchString(d.OU) {
		c.report("Domain.OU", fmt.Sprintf("%q is not the distinguished name of a unit", d.OU), "For example OU=Clients,DC=example,DC=com.")
	}
	if d.Username == "" || d.Password.IsEmpty() {
		c.report("Domain.Username", "an account that may join the domain is needed, with its password", "Or use an offline domain join.")
	}
	c.text("Domain.Username", d.Username, MaxDescription)
	c.text("Domain.UsernameDomain", d.UsernameDomain, MaxDescription)
	c.text("Domain.Password", d.Password.Reveal(), MaxPassword)
}

func (c *checks) commands(list string, commands []Command, most int, passes bool) {
	orders := map[string]bool{}
	for i, r := range commands {
		field := func(member string) string { return fmt.Sprintf("%s[%d].%s", list, i, member) }
		if strings.TrimSpace(r.Line) == "" {
			c.report(field("Line"), "the command is empty", "Leave it out.")
		}
		c.text(field("Line"), r.Line, most)
		c.text(field("Description"), r.Description, MaxDescription)
		c.oneOf(field("Reboot"), r.Reboot, "Always", "OnRequest", "Never")
		if passes && !slices.Contains([]Pass{WindowsPE, Specialize, AuditUser}, r.Pass) {
			c.report(field("Pass"), fmt.Sprintf("no commands run in the pass %q", r.Pass), "Use windowsPE, specialize or auditUser.")
		}
		if r.Order < 0 || r.Order > MaxOrder {
			c.report(field("Order"), fmt.Sprintf("%d is not a place", r.Order), fmt.Sprintf("Use 1 to %d, or 0 to come last.", MaxOrder))
		}
		key := fmt.Sprintf("%s/%d", r.Pass, r.Order)
		if r.Order > 0 && orders[key] {
			c.report(field("Order"), fmt.Sprintf("two commands of the pass have the place %d", r.Order), "Give each its own, or 0.")
		}
		orders[key] = true
	}
}
