package mdt

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	ts "slipway/tasksequence"
)

// maxRules bounds the steps and groups that the rules become; a document with them and
// a long sequence stays below ts.MaxNodes.
const maxRules = 4000

// maxNesting is how far sections may lead to sections.
const maxNesting = 8

// rules make a task sequence of Bootstrap.ini and CustomSettings.ini: a Set variable
// step for each value, in groups with the condition under which MDT would have read the
// section. As in MDT the first value wins: a step runs only when its variable is not set.
func (im *importer) rules() {
	b := &ruleBook{im: im}
	var nodes []ts.Node
	for _, file := range []string{"Bootstrap.ini", "CustomSettings.ini"} {
		ini := im.ini("Control/" + file)
		if ini == nil {
			continue
		}
		b.ini, b.visited = ini, map[string]bool{}
		members := b.priority()
		if len(members) > 0 {
			nodes = append(nodes, ts.Node{Name: file, Steps: members})
		}
	}
	if len(nodes) == 0 {
		return
	}
	s := ts.Sequence{Format: ts.Format, ID: RulesID, Status: ts.InDevelopment, Name: "MDT rules",
		Description: "What CustomSettings.ini and Bootstrap.ini set. The task sequences imported from MDT run it first.", Steps: nodes}
	ts.AssignIDs(&s)
	im.ruleBook = &Sequence{ID: s.ID, Name: s.Name, Document: s}
	im.settle(im.ruleBook, ts.Sources{Catalogue: im.catalogue})
}

func (im *importer) ini(name string) *iniFile {
	found, err := im.share.find(name)
	var data []byte
	if err == nil {
		im.take(found)
		data, err = im.share.read(found)
	}
	var f *iniFile
	if err == nil {
		f, err = parseINI(found, data)
	}
	if err != nil {
		im.note(name, "", Left, fmt.Sprintf("the file cannot be read: %v", err))
		return nil
	}
	im.inis = append(im.inis, f)
	for _, s := range f.sections {
		for _, k := range s.keys {
			if isSecret(k.name) {
				im.secret(k.value)
			}
		}
	}
	return f
}

type ruleBook struct {
	im      *importer
	ini     *iniFile
	visited map[string]bool // sections that are being read, against circles
	count   int
	calls   int
}

// priority follows the entries of Priority, each a section or a property whose value
// names a section.
func (b *ruleBook) priority() (nodes []ts.Node) {
	settings := b.ini.section("Settings")
	if settings == nil {
		b.im.note(b.ini.file, "[Settings]", Left, "there is no section Settings: MDT reads nothing of the file")
		return nil
	}
	settings.mark = mark{outcome: Carried, detail: "order of the rules"}
	properties := map[string]bool{}
	for _, p := range strings.Split(settings.take("Properties", Carried, "custom properties are variables like others"), ",") {
		properties[strings.ToLower(strings.TrimSuffix(strings.TrimSpace(p), "(*)"))] = true
	}
	entries := strings.Split(settings.take("Priority", Carried, "order of the rules"), ",")
	literal := map[string]bool{"settings": true}
	for i, entry := range entries {
		entries[i] = strings.TrimSpace(entry)
		if !isProperty(entries[i], properties) {
			literal[strings.ToLower(entries[i])] = true
		}
	}
	if places := b.ini.section("DefaultGateway"); places != nil {
		for _, k := range places.keys {
			literal[strings.ToLower(k.value)] = true
		}
	}
	for _, s := range b.ini.sections {
		for target := range b.subsections(s) {
			literal[target] = true
		}
	}
	for _, entry := range entries {
		switch {
		case entry == "":
		case strings.EqualFold(entry, "DefaultGateway"):
			nodes = append(nodes, b.gateways()...)
		case isProperty(entry, properties):
			nodes = append(nodes, b.byProperty(entry, literal)...)
		default:
			s := b.ini.section(entry)
			if s == nil {
				b.im.note(b.ini.file, "[Settings] Priority "+entry, Left, "there is no such section")
				continue
			}
			nodes = append(nodes, b.group(s, s.name, nil)...)
		}
	}
	return nodes
}

// known are properties that MDT gathers, by whose values sections can be named.
var known = regexp.MustCompile(`(?i)^(MACAddress0*\d*|SerialNumber|AssetTag|UUID|Make|Model|Product|DefaultGateway0*\d*|IPAddress0*\d*|IsLaptop|IsDesktop|IsServer|IsVM|IsUEFI|VMPlatform|HostName|OSDComputerName|ComputerName|TaskSequenceID|Architecture|MakeAlias|ModelAlias|SystemAlias|Memory|OSVersion|DeploymentType|Phase|IsOnBattery|CapableArchitecture|ProcessorSpeed|SMBIOSAssetTag)$`)

func isProperty(name string, custom map[string]bool) bool {
	return known.MatchString(name) || custom[strings.ToLower(name)]
}

var (
	macForm  = regexp.MustCompile(`(?i)^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$`)
	uuidForm = regexp.MustCompile(`(?i)^\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?$`)
)

// byProperty makes a group of every section that a value of the property could name.
func (b *ruleBook) byProperty(property string, literal map[string]bool) (nodes []ts.Node) {
	name, err := ownName(strings.TrimRight(property, "0123456789"))
	if err != nil {
		b.im.note(b.ini.file, "[Settings] Priority "+property, Left, err.Error())
		return nil
	}
	if strings.EqualFold(name, "TaskSequenceID") {
		b.im.byTaskSequence = true
	}
	isMAC, isUUID := strings.EqualFold(name, "MacAddress"), strings.EqualFold(name, "UUID")
	for _, s := range b.ini.sections {
		if literal[strings.ToLower(s.name)] || s.mark.deep || macForm.MatchString(s.name) != isMAC || uuidForm.MatchString(s.name) != isUUID {
			continue
		}
		value := s.name
		if isMAC {
			value = strings.ToLower(strings.ReplaceAll(value, "-", ":"))
		}
		if isUUID {
			value = strings.ToLower(strings.Trim(value, "{}"))
		}
		nodes = append(nodes, b.group(s, fmt.Sprintf("%s is %s", name, s.name), &ts.Condition{Variable: name, Operator: ts.Equals, Operand: ts.Value{Text: strings.ReplaceAll(value, "%", "%%")}})...)
	}
	return nodes
}

// gateways reads the section that names a section for each gateway.
func (b *ruleBook) gateways() (nodes []ts.Node) {
	places := b.ini.section("DefaultGateway")
	if places == nil {
		b.im.note(b.ini.file, "[Settings] Priority DefaultGateway", Left, "there is no section DefaultGateway")
		return nil
	}
	places.mark = mark{outcome: Carried, detail: "conditions over the default gateway"}
	for _, k := range places.keys {
		s := b.ini.section(k.value)
		if s == nil {
			k.set(Left, "there is no such section")
			continue
		}
		k.set(Carried, "condition of a group")
		nodes = append(nodes, b.group(s, fmt.Sprintf("Gateway %s: %s", k.name, s.name), &ts.Condition{Variable: "DefaultGateway", Operator: ts.Equals, Operand: ts.Value{Text: k.name}})...)
	}
	return nodes
}

// elsewhere are keys that let MDT ask others.
var elsewhere = []string{"SQLServer", "WebService", "UserExit", "Database", "StoredProcedure", "Table"}

// group makes the steps of a section, under the condition that leads to it.
func (b *ruleBook) group(s *iniSection, name string, condition *ts.Condition) []ts.Node {
	folded := strings.ToLower(s.name)
	switch {
	case b.visited[folded]:
		return nil // a circle: what stands in it was set already
	case b.calls >= maxRules || len(b.visited) >= maxNesting:
		s.mark = mark{outcome: Left, detail: "too many sections lead to one another: set these variables elsewhere", deep: true}
		return nil
	case s.mark.outcome == Left:
		return nil
	case slices.ContainsFunc(elsewhere, func(key string) bool { return s.key(key) != nil }):
		s.mark = mark{outcome: Left, detail: "MDT would ask a database, a web service or a script here; enter what it answers by Set variable steps, or assign it to devices", deep: true}
		for _, k := range s.keys {
			k.set(Left, s.mark.detail)
		}
		return nil
	}
	b.calls++
	b.visited[folded] = true
	defer delete(b.visited, folded)
	s.mark = mark{outcome: Carried, detail: "group of Set variable steps in the task sequence " + RulesID}
	var members []ts.Node
	lists := map[string]*list{}
	for _, k := range s.keys {
		if k.mark.outcome == Left && k.mark.detail == "MDT reads only the first key of this name" {
			continue
		}
		if strings.EqualFold(k.name, "Subsection") {
			members = append(members, b.subsection(s, k)...)
			continue
		}
		if n, ok := b.key(k, lists, &members); ok {
			members = append(members, n)
		}
	}
	members = slices.DeleteFunc(members, func(n ts.Node) bool { return n.Name == "" })
	if len(members) == 0 {
		return nil
	}
	b.count++
	return []ts.Node{{Name: stepName(name, "Section"), Condition: condition, Steps: members}}
}

// list collects the items of a numbered property.
type list struct {
	at    int // of its node
	items []string
}

func (b *ruleBook) key(k *iniKey, lists map[string]*list, members *[]ts.Node) (ts.Node, bool) {
	base, numbered := k.name, false
	if m := listName.FindStringSubmatch(k.name); m != nil {
		base, numbered = m[1], true
	}
	switch folded := strings.ToLower(base); {
	case k.value == "":
		k.set(Left, "it has no value")
	case wizard.MatchString(k.name):
		k.set(Left, noWizard)
	case script(k.value):
		k.set(Left, "MDT would compute the value by VBScript: use a step Run PowerShell script that sets the variable")
	case folded == "tasksequenceid":
		k.set(Left, "choose the task sequence by slipway device assign DEVICE "+SequenceID(k.value)+", or by the variable TSID at the start")
	case numbered && folded == "drivergroup" || strings.HasPrefix(folded, "driverselectionprofile"):
		k.set(Left, "Slipway finds driver packs by the model")
	case numbered:
		return b.item(k, base, lists, members)
	case folded == "finishaction":
		return b.finish(k)
	default:
		name, err := ownName(k.name)
		if err != nil {
			k.set(Left, err.Error())
			return ts.Node{}, false
		}
		return b.set(k, name, ts.Value{Text: ownText(k.value), Secret: isSecret(k.name) || b.im.holdsSecret(k.value)}), true
	}
	return ts.Node{}, false
}

func (b *ruleBook) finish(k *iniKey) (ts.Node, bool) {
	action := map[string]string{"reboot": "reboot", "restart": "reboot", "shutdown": "shutdown", "logoff": "none"}[strings.ToLower(k.value)]
	if action == "" {
		k.set(Left, "it is not an action that Slipway has: reboot, shutdown, none")
		return ts.Node{}, false
	}
	return b.set(k, "FinishAction", ts.Value{Text: action}), true
}

// set makes a step that sets a variable unless it is set.
func (b *ruleBook) set(k *iniKey, name string, value ts.Value) ts.Node {
	if b.count++; b.count > maxRules {
		k.set(Left, fmt.Sprintf("the rules would have more than %d steps: set the variable elsewhere", maxRules))
		return ts.Node{}
	}
	k.set(nameDetail(k.name, name))
	if value.Secret && k.mark.outcome != Left {
		k.mark.detail = "secret variable " + name
	}
	if v, err := json.Marshal(value); err != nil || len(v) > ts.MaxVariableValue {
		k.mark = mark{outcome: Left, detail: "the value is too long for a variable"}
		return ts.Node{}
	}
	return setNode("Set "+name, name, value, true)
}
