package unattend

import "slipway/tasksequence"

// secretPaths are the elements whose values are secrets, by the ends of their paths.
var secretPaths = [][]string{
	{"AdministratorPassword", "Value"}, {"Password", "Value"}, {"Password"}, {"AdministratorPassword"},
	{"ProductKey"}, {"ProductKey", "Key"}, {"AccountData"}, {"Provisioning", "AccountData"},
	{"DomainAccountData"}, {"UnsecureJoinPassword"}, {"MachinePassword"},
}

// Masked returns the file as it may be shown: *** for every password, product key and
// domain join in it, also those that it had before.
func (f *File) Masked() []byte {
	shown, err := Parse(f.Bytes())
	if err != nil {
		return nil // it was parsed before
	}
	for _, n := range shown.document.descend(nil) {
		if n.element && isSecret(n) && n.value() != "" && !hasElements(n) {
			n.setText(tasksequence.Masked)
		}
	}
	return shown.Bytes()
}

func hasElements(n *node) bool {
	for _, c := range n.children {
		if c.element {
			return true
		}
	}
	return false
}

// isSecret reports whether the element's path ends as one of a secret does.
func isSecret(n *node) bool {
	for _, path := range secretPaths {
		at := n
		for i := len(path) - 1; i >= 0 && at != nil; i-- {
			if at.local != path[i] {
				at = nil
				break
			}
			at = at.parent
		}
		if at != nil {
			return true
		}
	}
	return false
}

// Found is a secret that stood in a file.
type Found struct {
	Pass      Pass
	Component string
	Path      string // e.g. UserAccounts/AdministratorPassword/Value
	Value     Secret
}

// Variable is the variable by which FromVariables takes the same secret, or "".
func (f Found) Variable() string {
	switch f.Path {
	case "UserAccounts/AdministratorPassword/Value", "UserAccounts/AdministratorPassword":
		return "AdminPassword"
	case "ProductKey", "UserData/ProductKey/Key", "UserData/ProductKey":
		return "ProductKey"
	case "Identification/Credentials/Password":
		return "DomainAdminPassword"
	}
	return ""
}

// TakeSecrets empties every secret of the file and answers what stood there; passwords
// in their hidden form are opened.
func (f *File) TakeSecrets() (found []Found) {
	for _, n := range f.document.descend(nil) {
		value := n.value()
		if !n.element || !isSecret(n) || value == "" || hasElements(n) {
			continue
		}
		at := Found{Value: NewSecret(value)}
		if n.local == "Value" && n.parent.at("PlainText").value() != "true" {
			if open, ok := decodePassword(value, n.parent.local); ok {
				at.Value = NewSecret(open)
			}
		}
		for up := n; up != nil; up = up.parent {
			switch {
			case up.is("component"):
				at.Component = up.attr("name")
			case up.is("settings"):
				at.Pass = Pass(up.attr("pass"))
			case at.Component == "" && at.Path == "":
				at.Path = up.local
			case at.Component == "":
				at.Path = up.local + "/" + at.Path
			}
		}
		n.setText("")
		found = append(found, at)
	}
	return found
}
