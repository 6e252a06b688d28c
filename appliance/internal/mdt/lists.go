package mdt

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	ts "slipway/tasksequence"
)

// system is an entry of OperatingSystems.xml: an image in an item.
type system struct {
	key          string
	index        int
	name         string
	architecture string
}

// systemsOf makes an item of each image file; entries of one file share it.
func (im *importer) systemsOf(entries []*element) {
	byFile := map[string]string{}
	for _, e := range entries {
		common(e)
		guid := fold(e.attr("guid"))
		name := e.value("Name")
		file := e.value("ImageFile")
		found, err := im.share.find(file)
		var real string
		if err == nil {
			im.take(found)
			real, err = im.share.path(found)
		}
		if err != nil {
			e.deep(Left, "the image cannot be had: "+missingFile(file, err))
			continue
		}
		key, ok := byFile[strings.ToLower(found)]
		if !ok {
			key = im.add(Item{Name: systemName(e, found), Description: "From MDT: " + name, Purpose: ts.PurposeOperatingSystem, Path: real})
			byFile[strings.ToLower(found)] = key
		} else {
			i := im.item(key)
			i.Description = bounded(i.Description+"; "+name, 4000)
		}
		index, err := strconv.Atoi(e.value("ImageIndex"))
		if err != nil || index < 1 {
			index = 1
		}
		item := im.item(key).Name
		im.systems[guid] = system{key: key, index: index, name: name, architecture: architecture(e.value("Platform"))}
		e.set(Carried, fmt.Sprintf("image %d of the content item %q", index, item))
		for _, c := range []string{"Name", "Description", "ImageName"} {
			e.take(c, Changed, "named in the description of the item; the image names itself")
		}
		e.take("ImageFile", Carried, "file of the item")
		e.take("ImageIndex", Carried, "setting of the steps that apply it")
		e.take("Platform", Carried, "architecture of the task sequences that apply it")
		e.take("IncludesSetup", Left, "Slipway applies the image itself and needs no setup.exe")
		e.take("Source", Changed, "only the image file is taken; Slipway needs no setup files")
		for _, c := range e.children {
			if c.mark.outcome == "" {
				c.deep(Left, "the image says it itself")
			}
		}
	}
}

// systemName names an item after the folder of the source, as the Workbench does.
func systemName(e *element, file string) string {
	source := strings.FieldsFunc(e.value("Source"), func(r rune) bool { return r == '\\' || r == '/' })
	if len(source) > 0 && !strings.EqualFold(source[len(source)-1], "Operating Systems") && source[len(source)-1] != "." {
		return source[len(source)-1]
	}
	return strings.TrimSuffix(path.Base(file), path.Ext(file))
}

func architecture(platform string) string {
	switch strings.ToLower(platform) {
	case "x64", "amd64":
		return "x64"
	case "arm64":
		return "arm64"
	}
	return ""
}

// app is an entry of Applications.xml.
type app struct {
	element *element
	name    string
	key     string   // of its item; empty: it has no files
	command string   // of one without files
	needs   []string // guids, in their order
	reboot  bool
}

func (im *importer) applicationsOf(entries []*element) {
	groups := im.tags("ApplicationGroups.xml")
	for _, e := range entries {
		common(e)
		guid := fold(e.attr("guid"))
		a := &app{element: e, name: e.value("Name"), command: e.value("CommandLine"), reboot: strings.EqualFold(e.value("Reboot"), "true")}
		for _, d := range e.all("Dependency") {
			if d.text != "" {
				a.needs = append(a.needs, fold(d.text))
				d.set(Changed, "the steps that install it install this one before")
			}
		}
		im.apps[guid] = a
		im.application(a, groups[guid])
	}
}

func (im *importer) application(a *app, tags []string) {
	e := a.element
	source := e.value("Source")
	switch {
	case a.command == "" && source == "":
		e.set(Changed, "a bundle: the steps that install it install what it names")
		rest(e, "a bundle has no item of its own")
		return
	case source == "":
		e.set(Changed, "it has no files: the steps that install it run its command line")
		e.take("CommandLine", Changed, "command line of those steps")
		e.take("Name", Carried, "name of those steps")
		rest(e, "what has no files has no content item")
		return
	}
	found, err := im.share.find(source)
	var real string
	if err == nil {
		im.take(found)
		real, err = im.share.path(found)
	}
	if err != nil {
		e.deep(Left, "its files cannot be had: "+missingFile(source, err))
		return
	}
	description := strings.Join(slices.DeleteFunc([]string{e.value("Comments"), e.value("Publisher"), e.value("ShortName"), e.value("Version"), e.value("Language")},
		func(s string) bool { return s == "" }), ", ")
	a.key = im.add(Item{Name: a.name, Description: description, Purpose: ts.PurposeApplication, Tags: tags, Command: a.command, Path: real})
	item := fmt.Sprintf("content item %q", im.item(a.key).Name)
	e.set(Carried, item)
	e.take("Name", Carried, item)
	for _, c := range []string{"Comments", "Publisher", "ShortName", "Version", "Language"} {
		e.take(c, Changed, "in the description of the item")
	}
	e.take("CommandLine", Carried, "installation command line")
	e.take("Source", Carried, "the item's files")
	work := e.take("WorkingDirectory", Carried, "the command starts in the folder of the item's files")
	if inside, err := im.share.find(work); work != "" && (err != nil || !strings.EqualFold(inside, found)) {
		e.take("WorkingDirectory", Left, "the command starts in the folder of the item's files; go to the folder in the command line")
	}
	if a.reboot {
		e.take("Reboot", Changed, "a Reboot step stands behind the steps that install it")
	} else {
		e.take("Reboot", Carried, "no restart")
	}
	if len(e.all("SupportedPlatform")) > 0 {
		for _, p := range e.all("SupportedPlatform") {
			p.set(Left, "content items have no platforms; give the steps that install it a condition")
		}
	}
	e.take("UninstallKey", Left, "Slipway does not look whether it is installed already")
	rest(e, "content items have no such field")
}

// rest marks the children that have no mark.
func rest(e *element, why string) {
	for _, c := range e.children {
		if c.mark.outcome == "" {
			c.deep(Left, why)
		}
	}
}

// tags reads the folders of a kind of entries, as tags by guid.
func (im *importer) tags(file string) map[string][]string {
	tags := map[string][]string{}
	for _, g := range im.list(file, "group") {
		name := g.value("Name")
		common(g)
		if name == "" || strings.EqualFold(name, "default") || strings.EqualFold(name, "hidden") {
			g.deep(Left, "a folder that the Workbench has anyway")
			continue
		}
		tag := bounded(stepName(strings.ReplaceAll(name, `\`, "/"), "MDT"), 120)
		g.set(Carried, fmt.Sprintf("tag %q", tag))
		g.take("Name", Carried, fmt.Sprintf("tag %q", tag))
		for _, m := range g.all("Member") {
			m.set(Carried, fmt.Sprintf("tag %q of the item", tag))
			if guid := fold(m.text); len(tags[guid]) < 30 {
				tags[guid] = append(tags[guid], tag)
			}
		}
		rest(g, "Slipway notes for itself")
	}
	return tags
}

// packagesOf makes an item of each package (updates, language packs).
func (im *importer) packagesOf(entries []*element) {
	for _, e := range entries {
		common(e)
		source := e.value("Source")
		found, err := im.share.find(source)
		var real string
		if err == nil {
			im.take(found)
			real, err = im.share.path(found)
		}
		if err != nil {
			e.deep(Left, "its file cannot be had: "+missingFile(source, err))
			continue
		}
		description := strings.Join(slices.DeleteFunc([]string{"Package from MDT", e.value("PackageType"), e.value("Architecture"), e.value("Language"), e.value("ProductVersion")},
			func(s string) bool { return s == "" }), ", ")
		key := im.add(Item{Name: e.value("Name"), Description: description, Purpose: ts.PurposeOther, Tags: []string{"package"}, Path: real})
		e.set(Changed, fmt.Sprintf("content item %q; no step installs packages by itself: use Run PowerShell script with Add-WindowsPackage", im.item(key).Name))
		e.take("Name", Carried, "name of the item")
		e.take("Source", Carried, "file of the item")
		for _, c := range []string{"PackageType", "Architecture", "Language", "ProductVersion"} {
			e.take(c, Changed, "in the description of the item")
		}
		rest(e, "the package says it itself")
	}
}

func missingFile(name string, err error) string {
	if strings.TrimSpace(name) == "" {
		return "the entry names none"
	}
	return err.Error()
}

func fold(guid string) string { return strings.ToLower(strings.TrimSpace(guid)) }
