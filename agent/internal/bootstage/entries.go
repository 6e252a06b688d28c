package bootstage

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// guid finds the id of a new entry in what bcdedit says, in whatever language.
var guid = regexp.MustCompile(`\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}`)

// step is one call of bcdedit. A create makes an entry; in the others %options and %loader
// stand for the ids of those that were made.
type step struct {
	create string // "options" or "loader"; empty: the call changes one
	args   []string
}

// plan is what makes the entry and has the boot manager start it once. drive is "C:",
// folder is where the files lie, below its root.
func plan(drive, folder string, uefi bool) []step {
	loader := `\windows\system32\boot\winload.exe`
	if uefi {
		loader = `\windows\system32\boot\winload.efi`
	}
	ramdisk := fmt.Sprintf(`ramdisk=[%s]\%s\boot.wim,%%options`, drive, folder)
	set := func(entry, name, value string) step {
		return step{args: []string{"/set", "%" + entry, name, value}}
	}
	return []step{
		{create: "options", args: []string{"/create", "/d", "Slipway RAM disk", "/device"}},
		set("options", "ramdisksdidevice", "partition="+drive),
		set("options", "ramdisksdipath", `\`+folder+`\boot.sdi`),
		{create: "loader", args: []string{"/create", "/d", "Slipway Windows PE", "/application", "osloader"}},
		set("loader", "device", ramdisk),
		set("loader", "osdevice", ramdisk),
		set("loader", "path", loader),
		set("loader", "systemroot", `\windows`),
		set("loader", "detecthal", "yes"),
		set("loader", "winpe", "yes"),
		{args: []string{"/bootsequence", "%loader"}},
	}
}

// enter carries the plan out. made is told each entry as soon as it exists.
func (s *Stage) enter(ctx context.Context, made func(id string) error) error {
	ids := map[string]string{}
	for _, one := range plan(s.Drive, Folder, s.UEFI) {
		args := []string{"bcdedit.exe"}
		for _, a := range one.args {
			for name, id := range ids {
				a = strings.ReplaceAll(a, "%"+name, id)
			}
			args = append(args, a)
		}
		output, err := s.tool(ctx, args...)
		if err != nil {
			return err
		}
		if one.create == "" {
			continue
		}
		id := guid.FindString(output)
		if id == "" {
			return fmt.Errorf("bcdedit does not tell the id of the entry that it made: %s", oneLine(output))
		}
		ids[one.create] = id
		if err := made(id); err != nil {
			return err
		}
	}
	return nil
}

// forget deletes entries, the newest first, also from the list for the next start. One that
// somebody else has deleted is no failure.
func (s *Stage) forget(ctx context.Context, entries []string) error {
	var failed []string
	for _, id := range slices.Backward(entries) {
		_, err := s.tool(ctx, "bcdedit.exe", "/delete", id, "/cleanup")
		if err == nil {
			continue
		}
		if _, gone := s.tool(ctx, "bcdedit.exe", "/enum", id); gone == nil {
			failed = append(failed, err.Error())
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("remove the boot entry: %s", strings.Join(failed, "; "))
	}
	return nil
}

// tool runs a tool that has to end with 0.
func (s *Stage) tool(ctx context.Context, args ...string) (string, error) {
	code, output, err := s.Run(ctx, args...)
	if err != nil {
		return output, fmt.Errorf("%s: %w", args[0], err)
	}
	if code != 0 {
		return output, fmt.Errorf("%s ended with exit code %d (%#x): %s", strings.Join(args, " "), code, uint32(code), oneLine(output))
	}
	return output, nil
}

// oneLine is the end of what a tool said.
func oneLine(output string) string {
	words := strings.Join(strings.Fields(output), " ")
	return strings.ToValidUTF8(words[max(0, len(words)-300):], "")
}
