package mdt

import (
	"fmt"

	ts "slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

// unattendOf makes an item of a sequence's answer file. Secrets in it become variables:
// content is read by every device that may have it.
func (im *importer) unattendOf(s Sequence, w *walker) string {
	name := "Control/" + s.MDT + "/Unattend.xml"
	root := im.tree(name)
	if root == nil {
		return ""
	}
	found, err := im.share.find(name)
	var data []byte
	if err == nil {
		data, err = im.share.read(found)
	}
	var file *unattend.File
	if err == nil {
		file, err = unattend.Parse(data)
	}
	if err != nil {
		root.deep(Left, fmt.Sprintf("the answer file cannot be read: %v", err))
		return ""
	}
	for _, secret := range file.TakeSecrets() {
		im.secret(secret.Value.Reveal())
		detail := "taken out of the answer file"
		if variable := secret.Variable(); variable != "" {
			w.extra[variable] = ts.Value{Text: ownText(secret.Value.Reveal()), Secret: true}
			detail = "secret variable " + variable
		}
		im.note(found, string(secret.Pass)+" "+secret.Component+" "+secret.Path, Changed, detail)
	}
	key := im.add(Item{Name: "Answer file of " + s.Name, Description: "From MDT, without its secrets.", Purpose: ts.PurposeOther, Data: file.Bytes(), File: "unattend.xml"})
	root.deep(Carried, fmt.Sprintf("in the content item %q", im.item(key).Name))
	taken(root)
	return key
}

// taken marks the secrets that the item does not hold.
func taken(e *element) {
	if len(e.children) == 0 && e.text != "" && e.name != "PlainText" && (isSecret(e.name) || secretBelow(e)) {
		e.set(Changed, "taken out of the answer file")
	}
	for _, c := range e.children {
		taken(c)
	}
}
