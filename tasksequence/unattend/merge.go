package unattend

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway/tasksequence"
)

// Names of components.
const (
	componentShell         = "Microsoft-Windows-Shell-Setup"
	componentInternational = "Microsoft-Windows-International-Core"
	componentIntlPE        = "Microsoft-Windows-International-Core-WinPE"
	componentDeployment    = "Microsoft-Windows-Deployment"
	componentJoin          = "Microsoft-Windows-UnattendedJoin"
	componentSetup         = "Microsoft-Windows-Setup"
	componentDrivers       = "Microsoft-Windows-PnpCustomizationsNonWinPE"
	componentSysprep       = "Microsoft-Windows-PnpSysprep"
)

// publicKeyToken is that of Microsoft's components.
const publicKeyToken = "31bf3856ad364e35"

// File is an answer file.
type File struct {
	declared []byte
	document *node
}

// New returns an answer file that says nothing.
func New() *File {
	f, err := Parse([]byte(`<?xml version="1.0" encoding="utf-8"?>` + "\n" + `<unattend xmlns="` + spaceUnattend + `"></unattend>` + "\n"))
	if err != nil {
		panic(err) // a programming error that every test would meet
	}
	return f
}

// Parse reads an answer file, UTF-8 or UTF-16. Files beyond the limits wrap ErrTooLarge.
func Parse(data []byte) (*File, error) {
	declared, rest, err := decode(data)
	if err != nil {
		return nil, err
	}
	document, err := parse(rest)
	if err != nil {
		return nil, err
	}
	f := &File{declared: declared, document: document}
	roots := 0
	for _, c := range document.children {
		if c.element {
			roots++
		}
	}
	if roots != 1 || f.root() == nil {
		return nil, fmt.Errorf("this is not an answer file: its one root element has to be <unattend xmlns=%q>", spaceUnattend)
	}
	return f, nil
}

func (f *File) root() *node { return f.document.first("unattend") }

// Bytes returns the file, in UTF-8 without a byte order mark. It may hold secrets.
func (f *File) Bytes() []byte { return f.document.write(bytes.Clone(f.declared)) }

// Change is one value that a merge set. The values of secrets are masked.
type Change struct {
	Pass      Pass
	Component string
	Path      string // e.g. RunSynchronous/RunSynchronousCommand[Order=2]/Path
	Old       string // empty: there was none
	New       string
}

// String says what was changed, for a log.
func (c Change) String() string {
	if c.Old == "" {
		return fmt.Sprintf("%s %s %s: %q", c.Pass, c.Component, c.Path, c.New)
	}
	return fmt.Sprintf("%s %s %s: %q instead of %q", c.Pass, c.Component, c.Path, c.New, c.Old)
}

// Merge puts settings into the file: values are set or replaced, entries of lists are
// found by their keys, all else stays. It answers what changed; merging the same
// settings again changes nothing. The error is tasksequence.Problems, and then the file
// is as it was.
func (f *File) Merge(s Settings) ([]Change, error) {
	if problems := append(s.Check(), f.clashes(s)...); len(problems) > 0 {
		return nil, problems
	}
	work, err := Parse(f.Bytes())
	if err != nil {
		return nil, err
	}
	m := merger{file: work, architecture: s.Architecture}
	m.all(s)
	if len(m.problems) > 0 {
		return nil, m.problems
	}
	*f = *work
	return m.changes, nil
}

type merger struct {
	file         *File
	architecture string
	changes      []Change
	problems     tasksequence.Problems
}

// settings are the elements of a pass.
func (f *File) settings(pass Pass) (found []*node) {
	for _, s := range f.root().elements("settings") {
		if s.attr("pass") == string(pass) {
			found = append(found, s)
		}
	}
	return found
}

// find returns the component of a pass, or nil.
func (f *File) find(pass Pass, component, architecture string) *node {
	for _, s := range f.settings(pass) {
		for _, c := range s.elements("component") {
			if strings.EqualFold(c.attr("name"), component) && strings.EqualFold(c.attr("processorArchitecture"), architecture) {
				return c
			}
		}
	}
	return nil
}

// component returns the component of a pass, made when there is none.
func (m *merger) component(pass Pass, name string) *node {
	if c := m.file.find(pass, name, m.architecture); c != nil {
		return c
	}
	var settings *node
	if all := m.file.settings(pass); len(all) > 0 {
		settings = all[0]
	} else {
		settings = m.file.root().append("settings", attribute("", "pass", string(pass)))
	}
	return settings.append("component", attribute("", "name", name), attribute("", "processorArchitecture", m.architecture),
		attribute("", "publicKeyToken", publicKeyToken), attribute("", "language", "neutral"), attribute("", "versionScope", "nonSxS"),
		attribute("xmlns", "wcm", spaceConfig), attribute("xmlns", "xsi", spaceInstance))
}

// spot is an element of a component, with its place for people to read.
type spot struct {
	m         *merger
	pass      Pass
	component string
	path      string
	node      *node
}

func (m *merger) in(pass Pass, component string) spot {
	return spot{m: m, pass: pass, component: component, node: m.component(pass, component)}
}

// under returns an element below, made when there is none.
func (s spot) under(names ...string) spot {
	for _, name := range names {
		next := s.node.first(name)
		if next == nil {
			next = s.node.append(name)
		}
		s.node, s.path = next, strings.TrimPrefix(s.path+"/"+name, "/")
	}
	return s
}

// set sets the value of an element below; an empty one is not written.
func (s spot) set(name, value string) {
	if value != "" {
		s.under(name).put(value, false)
	}
}

func (s spot) setSecret(name, value string) {
	if value != "" {
		s.under(name).put(value, true)
	}
}

func (s spot) setBool(name string, value bool) { s.set(name, strconv.FormatBool(value)) }

func (s spot) put(value string, secret bool) {
	for _, c := range s.node.children {
		if c.element {
			s.m.problems = append(s.m.problems, tasksequence.Problem{Field: fmt.Sprintf("%s %s %s", s.pass, s.component, s.path),
				Detail: "the given answer file has elements where a text belongs", Remedy: "Correct the file, or leave the setting out."})
			return
		}
	}
	old := s.node.value()
	if old == value {
		return
	}
	s.node.setText(value)
	change := Change{Pass: s.pass, Component: s.component, Path: s.path, Old: old, New: value}
	if secret {
		change.New = tasksequence.Masked
		if old != "" {
			change.Old = tasksequence.Masked
		}
	}
	s.m.changes = append(s.m.changes, change)
}

// password sets a password in its hidden form.
func (s spot) password(name string, password Secret) {
	if password.IsEmpty() {
		return
	}
	at := s.under(name)
	at.setSecret("Value", encodePassword(password.Reveal(), name))
	at.set("PlainText", "false")
}

// entry returns the entry of a list whose key has a value, made when there is none.
func (s spot) entry(item, key, value string) spot {
	path := fmt.Sprintf("%s/%s[%s=%s]", s.path, item, key, value)
	for _, e := range s.node.elements(item) {
		if strings.EqualFold(e.at(key).value(), value) {
			return spot{s.m, s.pass, s.component, path, e}
		}
	}
	made := spot{s.m, s.pass, s.component, path, s.node.add(item)}
	made.set(key, value)
	return made
}

// add appends an entry, marked as one.
func (n *node) add(item string, more ...xml.Attr) *node {
	prefix, ok := n.prefixFor(spaceConfig)
	var attrs []xml.Attr
	if !ok {
		prefix = "wcm"
		for i := 2; ; i++ {
			if _, taken := n.lookup(prefix); !taken {
				break
			}
			prefix = "wcm" + strconv.Itoa(i)
		}
		attrs = append(attrs, attribute("xmlns", prefix, spaceConfig))
	}
	attrs = append(attrs, attribute(prefix, "action", "add"))
	for _, a := range more {
		a.Name.Space = prefix
		attrs = append(attrs, a)
	}
	return n.append(item, attrs...)
}

// clashes are settings that cannot go with what the file says.
func (f *File) clashes(s Settings) (problems tasksequence.Problems) {
	report := func(field, detail, remedy string) {
		problems = append(problems, tasksequence.Problem{Field: field, Detail: detail, Remedy: remedy})
	}
	join := f.find(Specialize, componentJoin, s.Architecture).at("Identification")
	domain, workgroup := join.at("JoinDomain").value(), join.at("JoinWorkgroup").value()
	blob := join.at("Provisioning", "AccountData").value() != ""
	switch {
	case s.Workgroup != "" && (domain != "" || blob):
		report("Workgroup", "the given answer file joins a domain", "Remove its Identification, or leave the workgroup out.")
	case s.Domain != nil && workgroup != "":
		report("Domain", fmt.Sprintf("the given answer file joins the workgroup %q", workgroup), "Remove its Identification, or leave the domain out.")
	case s.Domain != nil && !s.Domain.Blob.IsEmpty() && domain != "":
		report("Domain", fmt.Sprintf("the given answer file joins the domain %q by an account", domain), "Remove its Identification, or the offline join.")
	case s.Domain != nil && s.Domain.Blob.IsEmpty() && blob:
		report("Domain", "the given answer file has an offline domain join", "Remove its Identification, or leave the domain out.")
	}
	if s.ComputerName != "" && s.ComputerName != "*" {
		accounts := f.find(OOBESystem, componentShell, s.Architecture).at("UserAccounts", "LocalAccounts")
		if accounts != nil && slices.ContainsFunc(accounts.elements("LocalAccount"), func(a *node) bool { return strings.EqualFold(a.at("Name").value(), s.ComputerName) }) {
			report("ComputerName", fmt.Sprintf("the given answer file has an account that is called as the computer, %q", s.ComputerName), "Windows refuses that: rename one of them.")
		}
	}
	return problems
}

// Check warns of what Windows will not read as it was meant in a given file.
func (f *File) Check() (problems tasksequence.Problems) {
	warn := func(field, detail, remedy string) {
		problems = append(problems, tasksequence.Problem{Field: field, Detail: detail, Remedy: remedy, Warning: true})
	}
	seen := map[string]bool{}
	for _, s := range f.root().elements("settings") {
		pass := s.attr("pass")
		if !slices.Contains(Passes(), Pass(pass)) {
			warn("settings", fmt.Sprintf("there is no pass %q", pass), "Windows reads no such settings.")
		}
		if s.attr("wasPassProcessed") == "true" {
			warn("settings "+pass, "the file says that this pass was processed already: Windows will leave it out", `Remove wasPassProcessed="true".`)
		}
		for _, c := range s.elements("component") {
			name := c.attr("name")
			key := strings.ToLower(pass + "/" + name + "/" + c.attr("processorArchitecture") + "/" + c.attr("language"))
			if name == "" || c.attr("processorArchitecture") == "" {
				warn("settings "+pass, "a component has no name or no architecture", "Give it both.")
			} else if seen[key] {
				warn("settings "+pass, fmt.Sprintf("%s stands there twice", name), "Put its settings together.")
			}
			seen[key] = true
			orders(c, func(detail string) { warn("settings "+pass+" "+name, detail, "Give each entry its own place.") })
		}
	}
	return problems
}

// orders warns of lists in which a place is taken twice.
func orders(n *node, warn func(string)) {
	taken := map[string]bool{}
	for _, c := range n.children {
		if order := c.at("Order").value(); c.element && order != "" {
			if taken[c.local+"/"+order] {
				warn(fmt.Sprintf("two entries %s have the place %s", c.local, order))
			}
			taken[c.local+"/"+order] = true
		}
		orders(c, warn)
	}
}
