package mdt

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	ts "slipway/tasksequence"
)

// setNode is a Set variable step; gentle ones leave a variable that is set.
func setNode(title, name string, value ts.Value, gentle bool) ts.Node {
	n := ts.Node{Name: stepName(title, "Set variable"), Definition: ts.SetVariable, Settings: settings("VariableName", name, "VariableValue", value)}
	if value.Secret {
		n.Settings["Secret"] = json.RawMessage("true")
	}
	if gentle {
		n.Condition = &ts.Condition{Variable: name, Operator: ts.Exists, Operand: ts.Value{Text: "false"}}
	}
	return n
}

// settings writes pairs of an option and its value.
func settings(pairs ...any) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for i := 0; i+1 < len(pairs); i += 2 {
		text, err := json.Marshal(pairs[i+1])
		if err == nil {
			out[fmt.Sprint(pairs[i])] = text
		}
	}
	return out
}

// item adds an item of a numbered property to its list.
func (b *ruleBook) item(k *iniKey, base string, lists map[string]*list, members *[]ts.Node) (ts.Node, bool) {
	outcome, detail := Carried, ""
	value := ownText(k.value)
	name, err := ownName(base)
	if strings.EqualFold(base, "MandatoryApplications") {
		name, outcome = "Applications", Changed
	}
	if err != nil {
		k.set(Left, err.Error())
		return ts.Node{}, false
	}
	values := []string{value}
	if strings.EqualFold(name, "Applications") {
		if values, err = b.im.installed(k.value); err != nil {
			k.set(Left, err.Error())
			return ts.Node{}, false
		}
		outcome, detail = Changed, ", by the names of content items"
	}
	l := lists[strings.ToLower(name)]
	if l == nil {
		l = &list{at: len(*members)}
		lists[strings.ToLower(name)] = l
		*members = append(*members, ts.Node{})
	}
	for _, v := range values {
		if !slices.Contains(l.items, v) {
			l.items = append(l.items, v)
		}
	}
	k.set(outcome, "item of the list variable "+name+detail)
	(*members)[l.at] = setNode("Set "+name, name, ts.Value{List: l.items, Secret: isSecret(base)}, true)
	return ts.Node{}, false
}

// installed are the names of the items that install an application and what it needs.
func (im *importer) installed(guid string) ([]string, error) {
	var names []string
	for _, a := range im.order(guid, map[string]bool{}) {
		if a.key == "" && a.command != "" {
			return nil, fmt.Errorf("the application %q has no files and cannot be in a list: add a step that runs its command line", a.name)
		}
		if a.key != "" {
			names = append(names, im.item(a.key).Name)
		}
	}
	if len(names) == 0 {
		return nil, errNoApplication
	}
	return names, nil
}

var errNoApplication = errors.New("no such application stands in Applications.xml, or its files are missing")

// order lists an application behind those that it needs.
func (im *importer) order(guid string, seen map[string]bool) (list []*app) {
	guid = fold(guid)
	a := im.apps[guid]
	if a == nil || seen[guid] {
		return nil
	}
	seen[guid] = true
	for _, need := range a.needs {
		list = append(list, im.order(need, seen)...)
	}
	return append(list, a)
}
