package view

import (
	"slices"
	"strings"
	"time"

	"slipway/fleet"
)

// Setting is one setting of sign-in as its form shows it.
type Setting struct {
	Name, Kind string
	Kept       string   // in force; "set" for a secret that is set
	Value      string   // in the form: what was typed, when that was not accepted
	Error      string   // stands beside it
	Facts      []string // what a kept PEM text holds
}

// Settings are all of them, by name.
type Settings map[string]Setting

// On reports whether a switch is on.
func (s Settings) On(name string) bool { return s[name].Kept == "on" }

// ID is that of the setting's control in the page.
func (s Setting) ID() string { return strings.NewReplacer(".", "-", "_", "-").Replace(s.Name) }

// described are the ids of what belongs to the control.
func (s Setting) described() string {
	if s.Error != "" {
		return s.ID() + "-help " + s.ID() + "-err"
	}
	return s.ID() + "-help"
}

// SecurityView is the Security page. The maps are by card or setting.
type SecurityView struct {
	S          Settings
	Preview    []fleet.SignInPreview
	Status     fleet.PasscodeStatus // of the classic shared passcode
	Named      []PasscodeRow
	Held       []fleet.Held
	SignedIn   int    // devices
	Suggestion string // a passcode
	Callback   string // to be registered at the console's provider

	Open     string            // the card that stands open
	Notice   string            // what was just done on it
	Errors   map[string]string // beside settings
	Typed    map[string]string // into settings, not accepted
	Problems map[string]string // on cards
	Error    string            // beside the passcode
	CanForce bool
	Overlap  string // as chosen
	Test     *fleet.SignInTest
	TestCard string
	Unsaved  bool // something typed was not tested

	Reminder      int // days; 0: never
	ReminderError string
}

// PasscodeRow is one named passcode in its list.
type PasscodeRow struct {
	P                  fleet.PasscodeStatus
	State              Field
	Sequences, Devices []string // names
}

// scope says in words where it works.
func (r PasscodeRow) scope() []string {
	var out []string
	for _, part := range []struct {
		one, many string
		list      []string
	}{{"Task sequence ", "Task sequences ", r.Sequences}, {"Device ", "Devices ", r.Devices}, {"Network ", "Networks ", r.P.Scope.Networks}} {
		if n := len(part.list); n > 0 {
			text := strings.Join(part.list[:min(n, 4)], ", ")
			if n > 4 {
				text += " and " + itoa(n-4) + " more"
			}
			out = append(out, plural(n, part.one, part.many)+text)
		}
	}
	return out
}

func (r PasscodeRow) uses() string {
	if r.P.MaxUses > 0 {
		return itoa(r.P.Uses) + " of " + itoa(r.P.MaxUses)
	}
	return itoa(r.P.Uses)
}

// cards are the parts of the Security page that open and close.
func cards() []string {
	return []string{"anonymous", "certificate", "entra", "passcode", "console", "local"}
}

// CardName lets only a card's name through.
func CardName(name string) string {
	if slices.Contains(cards(), name) {
		return name
	}
	return ""
}

// CardOf is the card a setting stands on.
func CardOf(setting string) string {
	if setting == "console.local" {
		return "local"
	}
	card, _, _ := strings.Cut(setting, ".")
	return CardName(card)
}

// CardURL opens a card.
func CardURL(card string) string {
	if card == "" {
		return "/admin/security"
	}
	return "/admin/security?open=" + card + "#card-" + card
}

// opens reports whether a card stands open: the one that was asked for, or the
// passcode's while there is no way in at all.
func (v SecurityView) opens(card string) bool {
	return v.Open == card || v.Open == "" && card == "passcode" && v.nothing()
}

// nothing reports whether nothing is ever accepted.
func (v SecurityView) nothing() bool {
	return !v.S.On("anonymous") && !v.S.On("certificate") && !v.S.On("entra") && !v.Status.Set && len(v.Named) == 0
}

// state is the badge of a card.
func (v SecurityView) state(card string) Field {
	on := func(setting string) Field {
		if v.S.On(setting) {
			return Field{Status: Done, Text: "On"}
		}
		return Field{Status: Idle, Text: "Off"}
	}
	switch card {
	case "anonymous":
		if v.S.On(card) {
			return Field{Status: Failed, Text: "On: anyone may deploy"}
		}
	case "passcode":
		switch {
		case v.Status.Old:
			return Field{Status: Waiting, Text: "Due for a change"}
		case v.Status.Set:
			return Field{Status: Done, Text: "Set"}
		case len(v.Named) > 0:
			return Field{Status: Done, Text: "Named ones only"}
		case v.S.On("entra"):
			return Field{Status: Idle, Text: "Not set"}
		}
		return Field{Status: Failed, Text: "Not set"}
	case "local":
		if v.S.On("console.local") {
			return Field{Status: Done, Text: "On"}
		}
		return Field{Status: Waiting, Text: "Break-glass only"}
	}
	return on(card)
}

// about is the line below a card's title.
func (v SecurityView) about(card string) string {
	switch card {
	case "anonymous":
		return "Nobody is asked. For labs without anything to lose."
	case "certificate":
		if v.S.On(card) {
			return join(Count(len(v.S["certificate.ca"].Facts), "authority", "authorities"), or(v.S["certificate.rules"].Kept, "every certificate of theirs"))
		}
		return "Installed systems that hold a certificate of your own PKI. Unattended."
	case "entra":
		if v.S.On(card) {
			return join(or(v.S["entra.issuer"].Kept, v.S["entra.tenant"].Kept), "role "+v.S["entra.roles"].Kept)
		}
		return "People sign in with their work account, on their phone."
	case "passcode":
		n := ""
		if len(v.Named) > 0 {
			n = Count(len(v.Named), "named passcode", "named passcodes")
		}
		if v.Status.Set {
			return join("Shared passcode, "+v.Status.Age+" old", n)
		}
		return or(n, "Technicians type it on the device.")
	case "console":
		if v.S.On(card) {
			return join(v.S["console.name"].Kept, v.S["console.issuer"].Kept)
		}
		return "People sign in here with their work account."
	}
	return "Passwords that this appliance keeps itself."
}

// ConfirmView is the page between a change that opens the appliance and its effect.
type ConfirmView struct {
	Card, Field, Text string
	Changes           []Option // Label: the setting
	Secrets           []string // settings to be typed again
}

func (v ConfirmView) title() string {
	switch v.Field {
	case "anonymous":
		return "Let anyone deploy, without being asked?"
	case "entra.roles":
		return "Let everybody of the provider deploy?"
	}
	return "Is this what you want?"
}

func (v ConfirmView) verb() string {
	if v.Field == "anonymous" {
		return "Switch anonymous sign-in on"
	}
	return "Save it all the same"
}

// PasscodeFormView is the form of a named passcode.
type PasscodeFormView struct {
	Name, Life, MaxUses, Devices, Networks, Overlap string
	Rotates                                         bool      // it exists, and gets a new value
	Until                                           time.Time // it ends already then
	Chosen                                          []string  // ids of sequences
	Sequences                                       []Option
	Suggestion                                      string
	Errors                                          map[string]string
	CanForce                                        bool
	Problem                                         string
}

// lives are how long a passcode may work.
func (v PasscodeFormView) lives() []Option {
	list := []Option{{Value: "4h", Label: "4 hours"}, {Value: "24h", Label: "1 day"}, {Value: "72h", Label: "3 days"}, {Value: "168h", Label: "1 week"},
		{Value: "720h", Label: "30 days"}, {Value: "2160h", Label: "90 days"}, {Value: "8760h", Label: "1 year"}, {Value: "", Label: "Until it is removed"}}
	if !v.Until.IsZero() {
		list = slices.Insert(list, 0, Option{Value: Stamp(v.Until), Label: "As it is: until " + Absolute(v.Until)})
	}
	return choose(list, v.Life)
}

// overlapOptions are how long a replaced passcode may go on.
func overlapOptions(chosen string) []Option {
	return choose([]Option{{Value: "0s", Label: "It stops at once"}, {Value: "1h", Label: "One more hour"},
		{Value: "24h", Label: "One more day"}, {Value: "168h", Label: "One more week"}}, chosen)
}

// reminders are the ages from which on a passcode is due for a change.
func reminders(days int) []Option {
	ages := []int{30, 90, 180, 365}
	if days > 0 && !slices.Contains(ages, days) {
		ages = append(ages, days)
		slices.Sort(ages)
	}
	var out []Option
	for _, n := range ages {
		out = append(out, Option{Value: itoa(n), Label: Count(n, "day", "days")})
	}
	return choose(append(out, Option{Value: "0", Label: "Never"}), itoa(days))
}

func choose(list []Option, value string) []Option {
	for i := range list {
		list[i].Selected = list[i].Value == value
	}
	return list
}

// MechanismText names a mechanism.
func MechanismText(m fleet.Mechanism) string {
	switch m {
	case fleet.MechanismAnonymous:
		return "Anonymous"
	case fleet.MechanismCertificate:
		return "Certificate"
	case fleet.MechanismEntra:
		return "Entra ID"
	case fleet.MechanismPasscode:
		return "Passcode"
	}
	return string(m)
}
