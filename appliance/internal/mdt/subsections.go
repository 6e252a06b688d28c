package mdt

import (
	"regexp"
	"strings"

	ts "slipway/tasksequence"
)

// subsections are the names of sections that a section leads to, folded.
func (b *ruleBook) subsections(s *iniSection) map[string]*ts.Condition {
	found := map[string]*ts.Condition{}
	k := s.key("Subsection")
	if k == nil {
		return found
	}
	var names []string
	pattern := references.ReplaceAllStringFunc(regexp.QuoteMeta(k.value), func(reference string) string {
		names = append(names, strings.Trim(reference, "%"))
		return "(.+)"
	})
	re, err := regexp.Compile("(?i)^" + pattern + "$")
	if err != nil {
		return found
	}
	for _, target := range b.ini.sections {
		m := re.FindStringSubmatch(target.name)
		if m == nil || len(m) != len(names)+1 || strings.EqualFold(target.name, s.name) {
			continue
		}
		var all []ts.Condition
		for i, name := range names {
			if own, err := ownName(name); err == nil {
				all = append(all, ts.Condition{Variable: own, Operator: ts.Equals, Operand: ts.Value{Text: strings.ReplaceAll(m[i+1], "%", "%%")}})
			}
		}
		switch len(all) {
		case 0:
			found[strings.ToLower(target.name)] = nil
		case 1:
			found[strings.ToLower(target.name)] = &all[0]
		default:
			found[strings.ToLower(target.name)] = &ts.Condition{And: all}
		}
	}
	return found
}

// subsection makes the groups of what a section leads to.
func (b *ruleBook) subsection(s *iniSection, k *iniKey) (nodes []ts.Node) {
	targets := b.subsections(s)
	if len(targets) == 0 {
		k.set(Left, "no section has such a name")
		return nil
	}
	k.set(Carried, "groups with a condition")
	for _, target := range b.ini.sections {
		if condition, ok := targets[strings.ToLower(target.name)]; ok && !target.mark.deep {
			nodes = append(nodes, b.group(target, target.name, condition)...)
		}
	}
	return nodes
}
