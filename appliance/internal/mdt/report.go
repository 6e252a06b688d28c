package mdt

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	ts "slipway/tasksequence"
)

// Outcome is what became of a piece of the share.
type Outcome string

// The outcomes.
const (
	Carried Outcome = "carried" // it is in Slipway as it was
	Changed Outcome = "changed" // it is in Slipway, but differently: the detail says how
	Left    Outcome = "left"    // it is not in Slipway: the detail says why
)

// Line of the report: one piece of the share.
type Line struct {
	File    string  `json:"file"`           // of the share
	Line    int     `json:"line,omitempty"` // in the file
	Where   string  `json:"where,omitempty"`
	Value   string  `json:"value,omitempty"` // *** for secrets
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail"`
}

// Report lists every piece of the share.
type Report struct {
	Lines   []Line `json:"lines"`
	Carried int    `json:"carried"`
	Changed int    `json:"changed"`
	Left    int    `json:"left"`
}

// unknown is the detail of what nothing here knows.
const unknown = "Slipway does not know this"

// reporter collects what was read and writes the report of it.
type reporter struct {
	trees   []treeFile
	inis    []*iniFile
	notes   []Line
	secrets []string
}

type treeFile struct {
	file string
	root *element
}

func (r *reporter) note(file, where string, outcome Outcome, detail string) {
	r.notes = append(r.notes, Line{File: file, Where: where, Outcome: outcome, Detail: detail})
}

// holdsSecret reports whether a secret stands in a text.
func (r *reporter) holdsSecret(text string) bool {
	return ts.NewMasker(r.secrets).Mask(text) != text
}

// answers are values of switches: whoever masks them masks much that is no secret.
var answers = regexp.MustCompile(`(?i)^(yes|no|true|false)$`)

// secret remembers a value that is shown nowhere.
func (r *reporter) secret(value string) {
	if value = strings.TrimSpace(value); len(value) > 2 && !answers.MatchString(value) {
		r.secrets = append(r.secrets, value)
	}
}

func (r *reporter) write() Report {
	var report Report
	masker := ts.NewMasker(r.secrets)
	add := func(l Line) {
		if isSecret(l.Where) && l.Value != "" {
			l.Value = ts.Masked
		}
		l.Value, l.Detail, l.Where = masker.Mask(oneLine(l.Value)), masker.Mask(l.Detail), masker.Mask(l.Where)
		switch l.Outcome {
		case Carried:
			report.Carried++
		case Changed:
			report.Changed++
		default:
			report.Left++
		}
		report.Lines = append(report.Lines, l)
	}
	for _, t := range r.trees {
		reportElement(t.file, t.root, mark{outcome: Left, detail: unknown}, add)
	}
	for _, i := range r.inis {
		i.report(add)
	}
	slices.SortStableFunc(r.notes, func(a, b Line) int { return cmp.Compare(a.File, b.File) })
	for _, n := range r.notes {
		add(n)
	}
	return report
}

// reportElement writes a line for an element, each of its attributes, and all below.
func reportElement(file string, e *element, above mark, add func(Line)) {
	own := e.mark
	if own.outcome == "" {
		own = above
		own.deep = true
	}
	value := e.text
	if isSecret(e.name) || isSecret(e.attr("name")) || isSecret(e.attr("property")) || secretBelow(e) {
		if value != "" {
			value = ts.Masked
		}
	}
	add(Line{File: file, Line: e.line, Where: e.path, Value: value, Outcome: own.outcome, Detail: own.detail})
	for _, a := range e.attrs {
		m := a.mark
		if m.outcome == "" {
			m = own
		}
		add(Line{File: file, Line: e.line, Where: e.path + "/@" + a.name, Value: a.value, Outcome: m.outcome, Detail: m.detail})
	}
	next := mark{outcome: Left, detail: unknown}
	if own.deep {
		next = own
	}
	for _, c := range e.children {
		reportElement(file, c, next, add)
	}
}

// secretBelow reports whether the value of an element is one of a secret above it, as
// <Password><Value>, or beside it, as the value of a Set variable step.
func secretBelow(e *element) bool {
	if e.parent == nil {
		return false
	}
	if isSecret(e.parent.name) {
		return !strings.EqualFold(e.name, "WillShowUI") // of a product key: when Windows Setup asks
	}
	for _, sibling := range e.parent.children {
		if strings.EqualFold(sibling.attr("name"), "VariableName") && isSecret(sibling.text) && strings.EqualFold(e.attr("name"), "VariableValue") {
			return true
		}
		if strings.EqualFold(sibling.attr("name"), "Variable") && isSecret(sibling.text) && strings.EqualFold(e.attr("name"), "Value") {
			return true
		}
	}
	return false
}

var secretName = regexp.MustCompile(`(?i)password|passwd|passcode|pwd|secret|product_?key|accountdata|bdepin|recoverykey|^pin$|token$`)

var skips = regexp.MustCompile(`(?i)^skip`)

// isSecret reports whether what has this name is a secret. MDT marks none itself. Names
// that begin with Skip switch a page of its wizard off.
func isSecret(name string) bool {
	if strings.EqualFold(name, "publicKeyToken") || strings.HasSuffix(strings.ToLower(name), "publickeytoken") {
		return false
	}
	if i := strings.LastIndexAny(name, "]/@ "); i >= 0 {
		name = name[i+1:]
	}
	return secretName.MatchString(name) && !skips.MatchString(name)
}

func oneLine(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// Text is the report for people: lines of the same kind side by side are one.
func (r Report) Text(all bool) string {
	var out strings.Builder
	file, last, again := "", Line{}, 0
	flush := func() {
		if again > 0 {
			fmt.Fprintf(&out, "           and %d more like it\n", again)
		}
		again = 0
	}
	for _, l := range r.Lines {
		if l.Outcome == Carried && !all {
			continue
		}
		if l.File != file {
			flush()
			file, last = l.File, Line{}
			fmt.Fprintf(&out, "%s\n", file)
		}
		if l.Outcome == last.Outcome && l.Detail == last.Detail && kind(l.Where) == kind(last.Where) {
			again++
			continue
		}
		flush()
		last = l
		fmt.Fprintf(&out, "  %-8s", l.Outcome)
		if l.Line > 0 {
			fmt.Fprintf(&out, " line %d:", l.Line)
		}
		if l.Where != "" {
			fmt.Fprintf(&out, " %s", l.Where)
		}
		if l.Value != "" {
			fmt.Fprintf(&out, " = %s", l.Value)
		}
		if l.Where != "" {
			out.WriteByte(':')
		}
		fmt.Fprintf(&out, " %s\n", l.Detail)
	}
	flush()
	fmt.Fprintf(&out, "%d pieces carried over, %d changed, %d left behind.\n", r.Carried, r.Changed, r.Left)
	return out.String()
}

var numbers = regexp.MustCompile(`\[\d+\]`)

// kind is a place without the numbers in it.
func kind(where string) string { return numbers.ReplaceAllString(where, "") }
