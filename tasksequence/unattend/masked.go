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
