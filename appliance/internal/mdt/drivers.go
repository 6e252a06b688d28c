package mdt

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"slipway/agent/wire"
	ts "slipway/tasksequence"
)

// makers are words in the names of makers, by which a folder is known as one.
var makers = regexp.MustCompile(`(?i)\b(acer|asus|dell|dynabook|fujitsu|getac|gigabyte|hewlett|hp|innotek|intel|lenovo|lg|microsoft|msi|panasonic|parallels|qemu|samsung|supermicro|toshiba|vmware|xen)\b`)

// driversOf makes a driver pack of each folder of the Workbench that holds drivers. A
// driver is the folder of its INF file.
func (im *importer) driversOf(entries, groups []*element) {
	folders, grouped := map[string]string{}, map[string]bool{}
	names := map[string]string{}
	elements := map[string]*element{}
	for _, e := range entries {
		common(e)
		guid := fold(e.attr("guid"))
		source := e.value("Source")
		found, err := im.share.find(source)
		if err == nil {
			_, err = im.share.path(found)
		}
		if err != nil {
			e.deep(Left, "its files cannot be had: "+missingFile(source, err))
			continue
		}
		im.take(found)
		if info, err := im.share.stat(found); err == nil && !info.IsDir() {
			found = path.Dir(found)
		}
		im.take(found)
		folders[guid], names[guid], elements[guid] = found, e.value("Name"), e
	}
	for _, g := range groups {
		common(g)
		name := g.value("Name")
		var members []string
		for _, m := range g.all("Member") {
			guid := fold(m.text)
			if folders[guid] == "" {
				m.set(Left, "Drivers.xml has no such driver, or its files are missing")
				continue
			}
			m.set(Carried, "driver of the pack")
			members = append(members, guid)
		}
		plain := strings.EqualFold(name, "default") || strings.EqualFold(name, "hidden")
		if len(members) == 0 || plain {
			g.set(Left, "a folder without drivers of its own")
			g.take("Name", Left, "a folder without drivers of its own")
			if plain {
				g.deep(Left, "a folder that the Workbench has anyway")
				for _, m := range g.all("Member") {
					m.set(Left, "a folder that the Workbench has anyway")
				}
			}
			rest(g, "Slipway notes for itself")
			continue
		}
		im.pack(g, name, members, folders, elements, grouped)
		rest(g, "Slipway notes for itself")
	}
	var alone []string
	for guid := range folders {
		if !grouped[guid] {
			alone = append(alone, guid)
		}
	}
	slices.SortFunc(alone, func(a, b string) int { return strings.Compare(folders[a]+a, folders[b]+b) })
	if len(alone) > 0 {
		im.pack(nil, "MDT drivers without a folder", alone, folders, elements, grouped)
	}
}

// pack makes the item of one folder.
func (im *importer) pack(g *element, name string, members []string, folders map[string]string, elements map[string]*element, grouped map[string]bool) {
	item := Item{Name: strings.ReplaceAll(name, `\`, " - "), Description: "Drivers from MDT: " + name, Purpose: ts.PurposeDriverPack}
	detail := "driver pack without a model: give it one, or name it in a step Inject driver pack"
	if parts := strings.Split(name, `\`); len(parts) > 1 && makers.MatchString(parts[len(parts)-2]) {
		item.Manufacturer, item.Models = strings.TrimSpace(parts[len(parts)-2]), []string{strings.TrimSpace(parts[len(parts)-1])}
		detail = fmt.Sprintf("driver pack of %s %s, found by model", item.Manufacturer, item.Models[0])
	}
	seen, skipped := map[string]bool{}, 0
	for _, guid := range members {
		folder := folders[guid]
		if seen[folder] {
			continue
		}
		seen[folder] = true
		regular, others, err := im.share.files(folder)
		skipped += len(others)
		if err != nil {
			im.note(folder, "", Left, fmt.Sprintf("the folder cannot be read: %v", err))
			continue
		}
		for _, other := range others {
			im.note(other, "", Left, "a link or special file")
		}
		for _, file := range regular {
			real, err := im.share.path(file)
			to := strings.TrimPrefix(file, path.Dir(folder)+"/")
			if err == nil {
				err = wire.CheckContentPath(to)
			}
			if err != nil {
				im.note(file, "", Left, err.Error())
				continue
			}
			item.Files = append(item.Files, File{From: real, To: path.Join(shortFolder(folder), to)})
		}
	}
	if len(item.Files) == 0 {
		if g != nil {
			g.set(Left, "its drivers have no files")
			g.take("Name", Left, "its drivers have no files")
		}
		return
	}
	key := im.add(item)
	made := im.item(key).Name
	if g != nil {
		g.set(Carried, detail)
		g.take("Name", Carried, fmt.Sprintf("content item %q", made))
	}
	for _, guid := range members {
		e := elements[guid]
		if !grouped[guid] {
			grouped[guid] = true
			e.set(Carried, fmt.Sprintf("in the driver pack %q", made))
			e.take("Source", Carried, "files of the pack")
			rest(e, "the INF file in the pack says it itself")
		} else if e.mark.detail != "" {
			e.mark.detail = bounded(e.mark.detail+fmt.Sprintf(" and %q", made), 400)
		}
	}
}

// shortFolder is the class folder that MDT puts drivers under: two drivers of different
// classes may have the same name.
func shortFolder(folder string) string {
	above := path.Base(path.Dir(folder))
	if above == "." || strings.EqualFold(above, "Out-of-Box Drivers") {
		return ""
	}
	return above
}
