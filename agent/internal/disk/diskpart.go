package disk

import (
	"fmt"
	"strings"
)

// diskpartFS are the file systems by diskpart's names.
var diskpartFS = map[string]string{FSVFAT: "fat32", FSNTFS: "ntfs"}

// diskpartScript is what makes the layout on disk number n of Windows. It is pure.
// Sizes are MiB, offsets KiB, as diskpart takes them; every partition lies where the
// plan has it. A partition gets the drive letter that letters has for its role. The
// disk gets its id when all file systems are made: by it Windows.Holds knows that the
// work came to its end. Letters come after it, as Windows may take them back with an
// MBR's old id.
func diskpartScript(l Layout, n int, letters map[Role]string) (string, error) {
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	add("select disk %d", n)
	add("clean")
	add("convert %s", l.Table)
	for _, p := range l.Partitions {
		place := fmt.Sprintf("size=%d offset=%d", p.Size/mib, p.Start>>10)
		switch {
		case l.Table == GPT && p.Role == RoleESP:
			add("create partition efi %s", place)
		case l.Table == GPT && p.Role == RoleMSR:
			add("create partition msr %s", place)
		case l.Table == GPT:
			add("create partition primary %s id=%s", place, strings.ToLower(p.Type))
		default:
			add("create partition primary %s id=%s", place, p.Type)
		}
		if fs := diskpartFS[p.FS]; fs != "" {
			add("format quick fs=%s label=\"%s\"", fs, p.Label)
		} else if p.FS != "" {
			return "", fmt.Errorf("%w: Windows makes no file system %q on partition %d (%s)", ErrSpec, p.FS, p.Number, p.Role)
		}
		if p.Attributes != 0 {
			add("gpt attributes=0x%016x", p.Attributes)
		}
		if p.Active {
			add("active")
		}
	}
	add("uniqueid disk id=%s", l.TableID)
	for _, p := range l.Partitions {
		if letter := letters[p.Role]; letter != "" {
			add("select partition %d", p.Number)
			add("assign letter=%s", letter)
		}
	}
	add("exit")
	return b.String(), nil
}

// assignScript gives a drive letter to a partition.
func assignScript(n, partition int, letter string) string {
	return fmt.Sprintf("select disk %d\r\nselect partition %d\r\nassign letter=%s\r\nexit\r\n", n, partition, letter)
}
