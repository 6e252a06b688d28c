package ui

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"

	"slipway/fleet"
	"slipway/tasksequence"
	"slipway/ui/internal/view"
)

func (c *Console) showSequence(v *visit) error {
	all, err := c.backend.Sequences.List(v.ctx())
	if err != nil {
		return err
	}
	versions := slices.DeleteFunc(all, func(s fleet.Sequence) bool { return s.ID != v.param("id") })
	if len(versions) == 0 {
		return ErrNotFound
	}
	slices.SortFunc(versions, func(a, b fleet.Sequence) int { return b.Version - a.Version })
	version := versions[0].Version
	if text := v.query("version"); text != "" {
		if version, err = strconv.Atoi(text); err != nil {
			return ErrNotFound
		}
	}
	s, err := c.backend.Sequences.Get(v.ctx(), v.param("id"), version)
	if err != nil {
		return err
	}
	p, err := c.page(v, s.Name, "sequences", "")
	if err != nil {
		return err
	}
	out := view.SequenceView{S: s, Versions: versions}
	var doc tasksequence.Sequence
	if err := json.Unmarshal(s.Body, &doc); err != nil {
		out.Unread = "It was stored by another version, or is damaged: " + err.Error()
	}
	definitions, err := c.backend.Sequences.Definitions(v.ctx())
	if err != nil {
		return err
	}
	catalogue, err := tasksequence.NewCatalogue(definitions...)
	if err != nil {
		return err
	}
	out.Nodes = nodeRows(catalogue, doc.Steps, 0, nil)
	out.Variables = startVariables(doc)
	return c.draw(v, http.StatusOK, view.Sequence(p, out))
}

// nodeRows flattens the tree in the order in which it runs.
func nodeRows(catalogue *tasksequence.Catalogue, nodes []tasksequence.Node, depth int, out []view.NodeRow) []view.NodeRow {
	for i := range nodes {
		n := &nodes[i]
		out = append(out, view.NodeRow{
			Depth: depth, Group: n.IsGroup(), Name: n.Name, Definition: definitionName(catalogue, n), Description: n.Description,
			Settings: settingLines(catalogue, n), Condition: conditionText(n.Condition), Flags: nodeFlags(n), Disabled: n.Disabled,
		})
		out = nodeRows(catalogue, n.Steps, depth+1, out)
	}
	return out
}

func definitionName(catalogue *tasksequence.Catalogue, n *tasksequence.Node) string {
	if n.IsGroup() {
		return ""
	}
	if d, ok := catalogue.Find(n.Definition, n.DefinitionVersion); ok {
		return d.Name
	}
	return n.Definition
}

// settingLines shows a step's settings, and never a secret: the value that a
// Set variable step marks as secret, nor any setting named like one.
func settingLines(catalogue *tasksequence.Catalogue, n *tasksequence.Node) []string {
	names := make([]string, 0, len(n.Settings))
	for name := range n.Settings {
		names = append(names, name)
	}
	sort.Strings(names)
	secret := string(n.Settings["Secret"]) == "true" || string(n.Settings["Secret"]) == `"true"`
	define, _ := catalogue.Find(n.Definition, n.DefinitionVersion)
	var out []string
	for _, name := range names {
		label := name
		if o, ok := define.Option(name); ok {
			label = o.Label
		}
		value := settingText(n.Settings[name])
		if define.SecretSetting(n, name) && !tasksequence.IsReference(n.Settings[name]) || secret && name == "VariableValue" || looksSecret(name) || name == "VariableValue" && looksSecret(settingText(n.Settings["VariableName"])) {
			value = tasksequence.Masked
		}
		out = append(out, label+": "+value)
	}
	return out
}

// looksSecret errs on the safe side: a sequence written before somebody thought
// of the Secret option must not show a password to every viewer.
func looksSecret(name string) bool {
	name = strings.ToLower(name)
	return name != "secret" && (strings.Contains(name, "password") || strings.Contains(name, "passcode") || strings.Contains(name, "secret"))
}

func settingText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func nodeFlags(n *tasksequence.Node) []string {
	var out []string
	if n.Disabled {
		out = append(out, "disabled")
	}
	if n.ContinueOnError {
		out = append(out, "continues on error")
	}
	if n.Retries > 0 {
		out = append(out, view.Count(n.Retries, "retry", "retries"))
	}
	if n.Timeout > 0 {
		out = append(out, "at most "+itoa(n.Timeout)+" s")
	}
	if len(n.SuccessCodes) > 0 {
		codes := make([]string, len(n.SuccessCodes))
		for i, x := range n.SuccessCodes {
			codes[i] = itoa(x)
		}
		out = append(out, "success: "+strings.Join(codes, ", "))
	}
	if len(n.Environments) > 0 {
		words := make([]string, len(n.Environments))
		for i, e := range n.Environments {
			words[i] = environmentWords(e, nil)
		}
		out = append(out, "in "+strings.Join(words, ", "))
	}
	return out
}

// conditionText writes a condition as one line.
func conditionText(c *tasksequence.Condition) string {
	switch {
	case c == nil:
		return ""
	case c.And != nil:
		return conditionList(c.And, " and ")
	case c.Or != nil:
		return conditionList(c.Or, " or ")
	case c.Not != nil:
		return "not (" + conditionText(c.Not) + ")"
	case c.Operator == tasksequence.Exists && strings.EqualFold(c.Operand.Text, "false"):
		return c.Variable + " does not exist"
	case c.Operator == tasksequence.Exists:
		return c.Variable + " exists"
	}
	operand := strconv.Quote(c.Operand.Text)
	if c.Operand.IsList() {
		operand = strings.Join(c.Operand.List, ", ")
	}
	if looksSecret(c.Variable) {
		operand = tasksequence.Masked
	}
	return c.Variable + " " + operatorWords(c.Operator) + " " + operand
}

func conditionList(list []tasksequence.Condition, word string) string {
	parts := make([]string, len(list))
	for i := range list {
		parts[i] = conditionText(&list[i])
	}
	return "(" + strings.Join(parts, word) + ")"
}

func operatorWords(o tasksequence.Operator) string {
	switch o {
	case tasksequence.Equals:
		return "is"
	case tasksequence.NotEquals:
		return "is not"
	case tasksequence.Less:
		return "is less than"
	case tasksequence.Greater:
		return "is greater than"
	case tasksequence.In:
		return "is one of"
	}
	return string(o)
}

func startVariables(doc tasksequence.Sequence) [][2]string {
	names := make([]string, 0, len(doc.Variables))
	for name := range doc.Variables {
		names = append(names, name)
	}
	sort.Strings(names)
	var out [][2]string
	for _, name := range names {
		value := doc.Variables[name]
		text := value.Text
		if value.IsList() {
			text = strings.Join(value.List, ", ")
		}
		if value.Secret || looksSecret(name) {
			text = tasksequence.Masked
		}
		out = append(out, [2]string{name, text})
	}
	return out
}

// exportSequence downloads the document as it is, secrets included: that is why
// it asks for an administrator.
func (c *Console) exportSequence(v *visit) error {
	version, err := strconv.Atoi(v.query("version"))
	if err != nil {
		return ErrNotFound
	}
	format, kind := v.query("format"), "application/yaml"
	switch format {
	case "yaml":
	case "json":
		kind = "application/json"
	default:
		return ErrNotFound
	}
	s, err := c.backend.Sequences.Get(v.ctx(), v.param("id"), version)
	if err != nil {
		return err
	}
	body, err := c.backend.Sequences.Export(v.ctx(), s.ID, version, format)
	if err != nil {
		return err
	}
	name := fileName(s.Name+"-v"+itoa(version)) + "." + format
	v.w.Header().Set("Content-Type", kind)
	v.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	_, err = v.w.Write(body)
	return err
}
