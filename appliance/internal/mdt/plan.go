package mdt

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	ts "slipway/tasksequence"
)

// Item is a content item to be made. Its files are those of Path (a file or a folder),
// or Files put together, or Data.
type Item struct {
	Key          string   `json:"key"` // by which the sequences of the plan name it
	Name         string   `json:"name"`
	Description  string   `json:"description,omitempty"`
	Purpose      string   `json:"purpose"`
	Tags         []string `json:"tags,omitempty"`
	Manufacturer string   `json:"manufacturer,omitempty"`
	Models       []string `json:"models,omitempty"`
	Command      string   `json:"command,omitempty"`
	Path         string   `json:"path,omitempty"`
	Files        []File   `json:"files,omitempty"`

	Data []byte `json:"-"` // of a file that is not taken as it is
	File string `json:"file,omitempty"`
}

// File is a file of the share and what it is called in the item.
type File struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Plan is what an import makes.
type Plan struct {
	Items     []Item     `json:"items"`
	Rules     *Sequence  `json:"rules,omitempty"` // is imported first: the others run it
	Sequences []Sequence `json:"sequences"`
	Report    Report     `json:"report"`

	secrets []string
}

// Sequence is a task sequence to be imported. Its content settings name items by key.
// It holds secrets: only Document is to be sent, and only to the appliance.
type Sequence struct {
	MDT      string      `json:"mdt,omitempty"` // its id in the share
	ID       string      `json:"id"`
	Name     string      `json:"name"`
	Steps    int         `json:"steps"`
	Problems ts.Problems `json:"problems,omitempty"` // why steps were put aside
	Refused  bool        `json:"refused,omitempty"`  // it cannot be imported at all

	Document ts.Sequence `json:"-"`
}

// RulesID is the id of the task sequence that CustomSettings.ini becomes.
const RulesID = "mdt-rules"

// Options of reading a share.
type Options struct {
	Catalogue *ts.Catalogue // of the appliance; nil: the built-in definitions
}

// Read reads a share and plans its import. The error is of the share as a whole; what
// is wrong with single files stands in the report.
func Read(dir string, o Options) (Plan, error) {
	s, err := openShare(dir)
	if err != nil {
		return Plan{}, err
	}
	defer s.root.Close()
	if o.Catalogue == nil {
		o.Catalogue = ts.BuiltinCatalogue()
	}
	im := &importer{share: s, catalogue: o.Catalogue, taken: map[string]bool{}, systems: map[string]system{}, apps: map[string]*app{}, scripts: map[string]string{},
		compared: map[string]bool{}, named: map[string]bool{}}
	im.systemsOf(im.list("OperatingSystems.xml", "os"))
	im.applicationsOf(im.list("Applications.xml", "application"))
	im.driversOf(im.list("Drivers.xml", "driver"), im.list("DriverGroups.xml", "group"))
	im.packagesOf(im.list("Packages.xml", "package"))
	im.rules()
	im.sequencesOf(im.list("TaskSequences.xml", "ts"))
	im.rest()
	for _, i := range im.items {
		if im.holdsSecret(i.Command) {
			im.note("Control/Applications.xml", i.Name, Changed, "its command line holds a secret of the share, which everybody reads who may see content: change it")
		}
	}
	return Plan{Items: im.items, Sequences: im.sequences, Rules: im.ruleBook, Report: im.write(), secrets: im.secrets}, nil
}

// Shown is the plan without secrets that stand in command lines. Its lists are never nil.
func (p Plan) Shown() Plan {
	masker := ts.NewMasker(p.secrets)
	p.Items, p.Sequences, p.Report.Lines = append([]Item{}, p.Items...), append([]Sequence{}, p.Sequences...), append([]Line{}, p.Report.Lines...)
	for i := range p.Items {
		p.Items[i].Command, p.Items[i].Description = masker.Mask(p.Items[i].Command), masker.Mask(p.Items[i].Description)
	}
	return p
}

// importer is one import at work.
type importer struct {
	reporter
	share     *share
	catalogue *ts.Catalogue
	items     []Item
	sequences []Sequence
	ruleBook  *Sequence

	taken    map[string]bool   // paths of the share that were looked at, folded
	named    map[string]bool   // names of items, folded
	systems  map[string]system // by guid
	apps     map[string]*app   // by guid
	scripts  map[string]string // path of the share to the key of its item
	compared map[string]bool   // variables in conditions of the sequence at work, folded

	byTaskSequence bool // the rules ask which task sequence runs
}

// list reads an XML file of the Control folder and returns its entries. One that is
// missing or broken is reported and holds none.
func (im *importer) list(file, entry string) []*element {
	root := im.tree("Control/" + file)
	if root == nil {
		return nil
	}
	root.set(Carried, "the list itself")
	return root.all(entry)
}

func (im *importer) tree(name string) *element {
	found, err := im.share.find(name)
	var data []byte
	if err == nil {
		im.take(found)
		data, err = im.share.read(found)
	}
	var root *element
	if err == nil {
		root, err = parseXML(data)
	}
	if errors.Is(err, fs.ErrNotExist) {
		im.note(name, "", Left, "the share has no such file")
		return nil
	}
	if err != nil {
		im.note(name, "", Left, fmt.Sprintf("the file cannot be read: %v", err))
		return nil
	}
	im.trees = append(im.trees, treeFile{file: found, root: root})
	im.secretsIn(root)
	return root
}

// secretsIn remembers the values of a tree that are shown nowhere.
func (im *importer) secretsIn(e *element) {
	if e.text != "" && (isSecret(e.name) || isSecret(e.attr("name")) || isSecret(e.attr("property")) || secretBelow(e)) && len(e.children) == 0 && !references.MatchString(e.text) {
		im.secret(e.text)
	}
	for _, c := range e.children {
		im.secretsIn(c)
	}
}

// take notes that a path of the share was looked at.
func (im *importer) take(name string) { im.taken[strings.ToLower(name)] = true }

func (im *importer) add(i Item) string {
	i.Key = fmt.Sprintf("mdt-item-%d", len(im.items)+1)
	i.Name = im.itemName(i.Name)
	i.Description = bounded(i.Description, 4000)
	i.Tags = append([]string{"mdt"}, i.Tags...)
	im.items = append(im.items, i)
	return i.Key
}

// itemName makes a name that content items can have, and that no other has.
func (im *importer) itemName(name string) string {
	name = bounded(stepName(strings.ReplaceAll(name, "%", " "), "MDT"), 110)
	for i, base := 2, name; im.named[strings.ToLower(name)]; i++ {
		name = fmt.Sprintf("%s (%d)", base, i)
	}
	im.named[strings.ToLower(name)] = true
	return name
}

func (im *importer) item(key string) *Item {
	i := slices.IndexFunc(im.items, func(i Item) bool { return i.Key == key })
	if i < 0 {
		return nil
	}
	return &im.items[i]
}

// content finds items of the plan, as the appliance will find them once they are there.
func (im *importer) content(ref ts.Reference, purpose string) (ts.Content, error) {
	i := im.item(ref.ID)
	switch {
	case i == nil:
		return ts.Content{}, ts.ErrNoContent
	case purpose != "" && purpose != i.Purpose:
		return ts.Content{}, ts.ErrContentPurpose
	}
	return ts.Content{ID: i.Key, Version: 1, Name: i.Name, Purpose: i.Purpose}, nil
}

// common marks what every entry of a list has beside its own elements.
func common(e *element) {
	e.takeAttr("guid", Changed, "Slipway gives its own id")
	e.takeAttr("enable", Left, "Slipway has no such switch; versions have a status")
	e.takeAttr("hide", Left, "Slipway has no such switch; versions have a status")
	for _, name := range []string{"CreatedTime", "CreatedBy", "LastModifiedTime", "LastModifiedBy"} {
		e.take(name, Left, "Slipway notes for itself who changed what and when")
	}
}

// rest reports what nobody looked at: other files of Control, and the share's folders.
func (im *importer) rest() {
	control, err := im.share.find("Control")
	if err != nil {
		control = "Control"
	}
	im.folder(control, false, func(name string) string {
		base := strings.ToLower(path.Base(name))
		switch {
		case strings.HasSuffix(base, "groups.xml") || base == "selectionprofiles.xml":
			return "folders and selections of the Workbench; applications keep theirs as tags"
		case base == "settings.xml":
			return "settings of the share and its boot images: slipway image build makes Slipway's own"
		case base == "medias.xml", base == "linkeddeploymentshares.xml":
			return "media and linked shares: slipway image media makes Slipway's own"
		}
		return "not read"
	})
	for _, folder := range []string{"Operating Systems", "Applications", "Packages", "Out-of-Box Drivers", "Scripts"} {
		if found, err := im.share.find(folder); err == nil {
			im.folder(found, folder == "Packages" || folder == "Out-of-Box Drivers", func(name string) string {
				if folder != "Scripts" {
					return "no entry of the share's lists names it"
				} else if ownScript.MatchString(path.Base(name)) {
					return "MDT's own"
				}
				return "no step that was carried over names it"
			})
			im.take(found)
		}
	}
	im.folder(".", false, func(name string) string {
		switch strings.ToLower(path.Base(name)) {
		case "boot":
			return "MDT's boot images: slipway image build makes Slipway's own"
		case "captures":
			return "captured images that were not imported: slipway content add takes them"
		case "tools", "templates", "usmt", "audit.log", "backup", "logs":
			return "MDT's own"
		case "$oem$":
			return "files that Windows Setup would copy; put them into a content item and a step that copies them"
		}
		return "not read"
	})
}

// ownScript are the files that MDT puts into the folder Scripts.
var ownScript = regexp.MustCompile(`(?i)^(ZTI|LTI|LiteTouch|DeployWiz|Wizard|BDD|Summary|NICSettings|WelcomeWiz|UDI|PSScripts?|Credentials|ListOf|Tools|opaque|computer|Header|btn|Logo|plus|minus|warning|FolderIcon|ItemIcon).*`)

// folder reports the entries of a folder that nobody looked at; deep also those of the
// folders in it of which something was.
func (im *importer) folder(name string, deep bool, why func(string) string) {
	entries, err := im.share.list(name)
	if err != nil {
		im.note(name, "", Left, fmt.Sprintf("the folder cannot be read: %v", err))
		return
	}
	for _, e := range entries {
		at := joinPath(name, e.Name())
		if im.looked(at) {
			if deep && e.IsDir() && !im.taken[strings.ToLower(at)] {
				im.folder(at, deep, why)
			}
			continue
		}
		detail := why(at)
		if strings.EqualFold(path.Ext(at), ".xml") && !e.IsDir() {
			if root := im.tree(at); root != nil {
				root.deep(Left, detail)
			}
			continue
		}
		im.note(at, "", Left, detail)
	}
}

// looked reports whether a path, or something below it, was looked at.
func (im *importer) looked(name string) bool {
	folded := strings.ToLower(name)
	if im.taken[folded] {
		return true
	}
	for t := range im.taken {
		if strings.HasPrefix(t, folded+"/") {
			return true
		}
	}
	return false
}
