package mdt

import (
	"fmt"
	"regexp"
	"strings"

	ts "slipway/tasksequence"
)

// condition carries a step's condition over. An error says why that cannot be; the
// caller then switches the step off, because it must not run where it was not meant to.
func (im *importer) condition(e *element) (*ts.Condition, error) {
	if e == nil {
		return nil, nil
	}
	if len(e.children) == 0 {
		e.set(Carried, "no condition")
		return nil, nil
	}
	members, err := im.members(e)
	if err != nil {
		e.deep(Left, err.Error())
		for _, c := range e.children {
			forget(c)
		}
		return nil, err
	}
	e.set(Carried, "condition")
	if len(members) == 1 {
		return &members[0], nil
	}
	return &ts.Condition{And: members}, nil
}

// forget takes back the marks below, when the whole was not carried over after all.
func forget(e *element) {
	e.mark = mark{}
	for _, c := range e.children {
		forget(c)
	}
}

func (im *importer) members(e *element) (list []ts.Condition, err error) {
	for _, c := range e.children {
		var one ts.Condition
		switch strings.ToLower(c.name) {
		case "operator":
			one, err = im.operator(c)
		case "expression":
			one, err = im.expression(c)
		default:
			err = fmt.Errorf("a condition of the kind %s has no counterpart", c.name)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

func (im *importer) operator(e *element) (ts.Condition, error) {
	kind := strings.ToLower(e.takeAttr("type", Carried, "condition"))
	e.set(Carried, "condition")
	members, err := im.members(e)
	if err != nil {
		return ts.Condition{}, err
	}
	if len(members) == 0 {
		return ts.Condition{}, fmt.Errorf("the operator %q of the condition is empty", kind)
	}
	switch kind {
	case "and":
		return ts.Condition{And: members}, nil
	case "or":
		return ts.Condition{Or: members}, nil
	case "not": // none of them
		return ts.Condition{Not: &ts.Condition{Or: members}}, nil
	}
	return ts.Condition{}, fmt.Errorf("the operator %q of the condition is not known", kind)
}

func (im *importer) expression(e *element) (ts.Condition, error) {
	kind := e.attr("type")
	values := map[string]string{}
	for _, v := range e.children {
		values[strings.ToLower(v.attr("name"))] = v.text
	}
	var c ts.Condition
	var err error
	outcome, detail := Carried, "condition"
	switch strings.ToLower(kind) {
	case "sms_tasksequence_variableconditionexpression":
		c, err = im.comparison(values["variable"], values["operator"], values["value"])
	case "sms_tasksequence_wmiconditionexpression":
		outcome, detail = Changed, "a condition over what the agent gathers instead of WMI"
		c, err = wmi(values["namespace"], values["query"])
	default:
		err = fmt.Errorf("a condition of the kind %s has no counterpart", kind)
	}
	if err != nil {
		return c, err
	}
	e.deep(outcome, detail)
	return c, nil
}

func (im *importer) comparison(variable, operator, value string) (ts.Condition, error) {
	if strings.EqualFold(variable, "_SMSTSInWinPE") {
		return inWinPE(operator, value)
	}
	name, err := ownName(variable)
	if err != nil {
		return ts.Condition{}, fmt.Errorf("the condition is over the variable %s, which Slipway does not have", variable)
	}
	if isSecret(name) && value != "" {
		return ts.Condition{}, fmt.Errorf("the condition compares the secret %s", variable)
	}
	im.compared[strings.ToLower(name)] = true
	simple := func(op ts.Operator) ts.Condition {
		return ts.Condition{Variable: name, Operator: op, Operand: ts.Value{Text: ownText(value)}}
	}
	exists := ts.Condition{Variable: name, Operator: ts.Exists, Operand: ts.Value{Text: "true"}}
	switch strings.ToLower(operator) {
	case "equals":
		return simple(ts.Equals), nil
	case "notequals":
		return simple(ts.NotEquals), nil
	case "greater":
		return simple(ts.Greater), nil
	case "less":
		return simple(ts.Less), nil
	case "greaterequal":
		return ts.Condition{Or: []ts.Condition{simple(ts.Greater), simple(ts.Equals)}}, nil
	case "lessequal":
		return ts.Condition{Or: []ts.Condition{simple(ts.Less), simple(ts.Equals)}}, nil
	case "exists":
		return exists, nil
	case "notexists":
		exists.Operand.Text = "false"
		return exists, nil
	case "like", "notlike":
		if strings.Contains(value, "%") {
			return ts.Condition{}, fmt.Errorf("the condition compares %s with a pattern that holds a variable", variable)
		}
		like := ts.Condition{Variable: name, Operator: ts.Matches, Operand: ts.Value{Text: wildcards(value, "*", "?")}}
		if strings.EqualFold(operator, "notlike") {
			like = ts.Condition{Not: &ts.Condition{Variable: name, Operator: ts.Matches, Operand: like.Operand}}
		}
		return like, nil
	}
	return ts.Condition{}, fmt.Errorf("the comparison %q of the condition is not known", operator)
}

// inWinPE asks for a boot image, of either kind.
func inWinPE(operator, value string) (ts.Condition, error) {
	image := ts.Condition{Variable: ts.VariableEnvironment, Operator: ts.In, Operand: ts.Value{List: []string{ts.LinuxPE, ts.WinPE}}}
	yes := strings.EqualFold(value, "true")
	switch {
	case strings.EqualFold(operator, "exists"):
		yes = true
	case strings.EqualFold(operator, "notEquals"):
		yes = !yes
	case !strings.EqualFold(operator, "equals"):
		return image, fmt.Errorf("the comparison %q of the condition is not known", operator)
	}
	if !yes {
		return ts.Condition{Not: &image}, nil
	}
	return image, nil
}

// wildcards turns a pattern with wildcards into a regular expression for the whole text.
func wildcards(pattern, many, one string) string {
	pattern = regexp.QuoteMeta(pattern)
	pattern = strings.ReplaceAll(pattern, regexp.QuoteMeta(many), ".*")
	return "(?i)^" + strings.ReplaceAll(pattern, regexp.QuoteMeta(one), ".") + "$"
}

// query is what of WQL can be carried over: one class, one comparison or several joined
// by AND alone or OR alone.
var (
	query     = regexp.MustCompile(`(?is)^\s*select\s+.+?\s+from\s+(\w+)\s+where\s+(.+?)\s*$`)
	predicate = regexp.MustCompile(`(?is)^\(?\s*(\w+)\s*(=|<>|!=|like)\s*["']([^"']*)["']\s*\)?$`)
	joint     = regexp.MustCompile(`(?i)\s+(and|or)\s+`)
)

// gathered are properties of WMI classes that the agent gathers as variables.
var gathered = map[string]string{
	"win32_computersystem.model":               "Model",
	"win32_computersystem.manufacturer":        "Make",
	"win32_computersystemproduct.version":      "SystemVersion",
	"win32_computersystemproduct.uuid":         "UUID",
	"win32_computersystemproduct.name":         "Model",
	"win32_computersystemproduct.vendor":       "Make",
	"win32_baseboard.product":                  "BaseBoardProduct",
	"win32_bios.serialnumber":                  "SerialNumber",
	"win32_bios.smbiosbiosversion":             "BIOSVersion",
	"win32_systemenclosure.smbiosassettag":     "AssetTag",
	"win32_systemenclosure.serialnumber":       "SerialNumber",
	"win32_computersystemproduct.skunumber":    "SystemSku",
	"win32_computersystem.systemskunumber":     "SystemSku",
	"win32_computersystem.systemfamily":        "SystemFamily",
	"ms_systeminformation.systemsku":           "SystemSku",
	"ms_systeminformation.baseboardproduct":    "BaseBoardProduct",
	"ms_systeminformation.systemproductname":   "Model",
	"ms_systeminformation.systemmanufacturer":  "Make",
	"win32_computersystem.pcsystemtype":        "",
	"win32_operatingsystem.operatingsystemsku": "",
}

func wmi(namespace, text string) (ts.Condition, error) {
	refuse := fmt.Errorf("the WMI condition %q has no counterpart", oneLine(text))
	ns := strings.ToLower(strings.Trim(strings.ReplaceAll(namespace, "/", `\`), `\.`))
	if ns != "" && ns != `root\cimv2` && ns != `root\wmi` {
		return ts.Condition{}, refuse
	}
	m := query.FindStringSubmatch(text)
	if m == nil {
		return ts.Condition{}, refuse
	}
	joints := map[string]bool{}
	for _, j := range joint.FindAllStringSubmatch(m[2], -1) {
		joints[strings.ToLower(j[1])] = true
	}
	var members []ts.Condition
	for _, part := range joint.Split(m[2], -1) {
		p := predicate.FindStringSubmatch(part)
		if p == nil || len(joints) > 1 {
			return ts.Condition{}, refuse
		}
		variable := gathered[strings.ToLower(m[1]+"."+p[1])]
		if variable == "" || strings.ContainsAny(p[3], "[]_") && strings.EqualFold(p[2], "like") {
			return ts.Condition{}, refuse
		}
		one := ts.Condition{Variable: variable, Operator: ts.Equals, Operand: ts.Value{Text: strings.ReplaceAll(p[3], "%", "%%")}}
		switch strings.ToLower(p[2]) {
		case "like":
			one.Operator, one.Operand.Text = ts.Matches, wildcards(p[3], "%", "_")
		case "<>", "!=":
			one.Operator = ts.NotEquals
		}
		members = append(members, one)
	}
	switch {
	case len(members) == 1:
		return members[0], nil
	case joints["or"]:
		return ts.Condition{Or: members}, nil
	}
	return ts.Condition{And: members}, nil
}
