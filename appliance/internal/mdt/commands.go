package mdt

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	ts "slipway/tasksequence"
)

// inShare finds a file of the share that a command names.
var inShare = regexp.MustCompile(`(?i)%(SCRIPTROOT|DEPLOYROOT)%((?:\\[^\\"<>|:*?%]+?)+\.[A-Za-z0-9]{1,5})(["\s]|$)`)

// command becomes Run command line. A file of the share that it names goes along as
// content.
func (s *stepWork) command() verdict {
	if s.action == "" {
		return lost("the step has no command")
	}
	command, content, err := s.files(s.action)
	if err != nil {
		return lost(err.Error())
	}
	s.is(ts.RunCommandLine, "Command", ownText(s.w.hidden(command)))
	detail := "step Run command line"
	outcome := Carried
	if s.w.im.holdsSecret(command) {
		outcome, detail = Changed, detail+"; a secret in it became a secret variable"
	}
	if content != "" {
		s.node.Settings["Content"] = quoted(content)
		outcome, detail = Changed, detail+" with the file of the share as content"
	}
	if start := s.e.attr("startIn"); start != "" && !folders.MatchString(start) {
		s.node.Settings["WorkingFolder"] = quoted(ownText(start))
		s.e.takeAttr("startIn", Carried, "working folder")
	} else if start != "" {
		s.e.takeAttr("startIn", Left, "a device has no folder of the share")
	}
	if !s.w.applied && !strings.EqualFold(s.e.attr("runIn"), "FullOS") {
		outcome, detail = Changed, detail+"; it is a command for Windows and fails in the Linux boot image"
	}
	if strings.EqualFold(s.take(Left, "commands run as the agent", "RunAsUser"), "true") {
		outcome, detail = Changed, detail+"; it runs as the agent, not as another user"
	}
	s.e.take("action", outcome, "command")
	return does(outcome, detail)
}

// files replaces a file of the share in a command by the content that holds it.
func (s *stepWork) files(command string) (changed, content string, err error) {
	m := inShare.FindStringSubmatchIndex(command)
	if m == nil {
		if folders.MatchString(command) {
			return "", "", fmt.Errorf("the command needs a folder of the share, which a device does not have: put the files into a content item")
		}
		return command, "", nil
	}
	folder := command[m[2]:m[3]]
	name := strings.Trim(command[m[4]:m[5]], `\`)
	if strings.EqualFold(folder, "SCRIPTROOT") {
		name = `Scripts\` + name
	}
	key, err := s.w.im.scriptItem(name)
	if err != nil {
		return "", "", err
	}
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	changed = command[:m[0]] + `%_CONTENT-Content%\` + base + command[m[5]:]
	if folders.MatchString(changed) {
		return "", "", fmt.Errorf("the command needs several files of the share, which a device does not have: put them into a content item")
	}
	return changed, key, nil
}

// hidden replaces the secrets of the share in a text by secret variables: in one go, the
// longest first, since one may hold another, or stand in the name of a variable.
func (w *walker) hidden(text string) string {
	names := map[string]string{}
	for i, secret := range w.im.secrets {
		if name := fmt.Sprintf("MDTSecret%d", i+1); names[secret] == "" {
			names[secret] = name
		}
	}
	var pairs []string
	for _, secret := range slices.SortedFunc(maps.Keys(names), func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) }) {
		pairs = append(pairs, secret, "%"+names[secret]+"%")
	}
	out := strings.NewReplacer(pairs...).Replace(text)
	for secret, name := range names {
		if strings.Contains(text, secret) && strings.Contains(out, "%"+name+"%") {
			w.extra[name] = ts.Value{Text: ownText(secret), Secret: true}
		}
	}
	return out
}

// scriptItem makes an item of one file of the share.
func (im *importer) scriptItem(name string) (string, error) {
	found, err := im.share.find(name)
	var real string
	if err == nil {
		im.take(found)
		real, err = im.share.path(found)
	}
	if err != nil {
		return "", fmt.Errorf("the file %s of the share cannot be had: %w", name, err)
	}
	if key, ok := im.scripts[found]; ok {
		return key, nil
	}
	key := im.add(Item{Name: "MDT script " + path.Base(found), Description: "From the share: " + found, Purpose: ts.PurposeOther, Path: real})
	im.scripts[found] = key
	im.note(found, "", Carried, fmt.Sprintf("content item %q", im.item(key).Name))
	return key, nil
}

// powershell becomes Run PowerShell script with the script as content.
func (s *stepWork) powershell() verdict {
	name := s.take(Carried, "script", "ScriptName")
	parameters := s.take(Carried, "parameters", "Parameters")
	if inline := s.take(Carried, "script", "SourceScript"); name == "" && inline != "" {
		s.is(ts.RunPowerShellScript, "Script", ownText(s.w.hidden(inline)))
	} else {
		file := folders.ReplaceAllString(strings.Trim(name, `"' `), "")
		if !strings.ContainsAny(strings.Trim(file, `\/`), `\/`) || strings.HasPrefix(strings.ToUpper(name), "%SCRIPTROOT%") {
			file = `Scripts\` + strings.TrimLeft(file, `\/`)
		}
		key, err := s.w.im.scriptItem(strings.TrimLeft(file, `\/`))
		if err != nil {
			return lost(err.Error())
		}
		s.is(ts.RunPowerShellScript, "Content", key, "ScriptName", path.Base(s.w.im.item(key).Path))
	}
	if parameters != "" {
		s.node.Settings["Parameters"] = quoted(ownText(s.w.hidden(parameters)))
	}
	return does(Carried, "step Run PowerShell script")
}
