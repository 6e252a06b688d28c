package bootimages

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/bootimages/internal/kmod"
)

// nic is a line of images/nics.tsv.
type nic struct {
	bus, id, driver, profile, name, source, note string
}

func readNICs(t *testing.T) []nic {
	t.Helper()
	text, err := os.ReadFile("../images/nics.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var out []nic
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 7 {
			t.Fatalf("nics.tsv: %d columns in %q", len(f), line)
		}
		out = append(out, nic{f[0], f[1], f[2], f[3], f[4], f[5], f[6]})
	}
	return out
}

// modalias is what the kernel's bus writes for the adapter, with the parts that do
// not matter filled in.
func (n nic) modalias(t *testing.T) string {
	t.Helper()
	var a, b uint16
	switch n.bus {
	case "pci":
		if _, err := fmt.Sscanf(n.id, "%04x:%04x", &a, &b); err != nil {
			t.Fatalf("%s: %v", n.id, err)
		}
		return kmod.PCIAlias(a, b)
	case "usb":
		if _, err := fmt.Sscanf(n.id, "%04x:%04x", &a, &b); err != nil {
			t.Fatalf("%s: %v", n.id, err)
		}
		return fmt.Sprintf("usb:v%04Xp%04Xd0100dcFFdsc00dp00icFFiscFFip00in00", a, b)
	case "virtio":
		return "virtio:d" + n.id + "v00001AF4"
	case "vmbus", "xen":
		return n.bus + ":" + n.id
	default:
		t.Fatalf("unknown bus %q", n.bus)
		return ""
	}
}

// The list itself is well-formed: no line twice, every fact has a source, and a
// line without a driver says why.
func TestNICListIsWellFormed(t *testing.T) {
	source := regexp.MustCompile(`^modules\.alias( pci\.ids)?$`)
	seen := map[string]bool{}
	pci := 0
	for _, n := range readNICs(t) {
		if seen[n.bus+n.id] {
			t.Errorf("%s %s is listed twice", n.bus, n.id)
		}
		seen[n.bus+n.id] = true
		if n.name == "" || !source.MatchString(n.source) || n.id != strings.ToLower(n.id) {
			t.Errorf("incomplete line: %+v", n)
		}
		if n.driver == "-" && (n.note == "" || n.profile != "-") || n.driver != "-" && n.profile != "client" && n.profile != "server" {
			t.Errorf("a line must name a driver and a profile, or say why not: %+v", n)
		}
		if n.bus == "pci" && n.driver != "-" {
			pci++
		}
	}
	if pci < 400 {
		t.Errorf("only %d PCI adapters", pci)
	}
	for _, id := range []string{"8086:10d3", "8086:15f3", "8086:1533", "10ec:8168", "10ec:8125", "14e4:1657", "1d6a:d107", "15ad:07b0", "1af4:1000"} {
		if !seen["pci"+id] {
			t.Errorf("%s is not listed", id)
		}
	}
}

// checkNICs resolves each listed adapter in the modules.alias of its profile.
func checkNICs(t *testing.T, client, server string) {
	t.Helper()
	resolved := 0
	for _, n := range readNICs(t) {
		modalias := n.modalias(t)
		if n.driver == "-" {
			if got := kmod.Match(server, modalias); len(got) > 0 {
				t.Logf("%s (%s) has a driver in this kernel: %v; the list may be extended", n.id, n.name, got)
			}
			continue
		}
		aliases := client
		if n.profile == "server" {
			aliases = server
		}
		if got := kmod.Match(aliases, modalias); !slices.Contains(got, n.driver) {
			t.Errorf("%s %s (%s): %s resolves to %v, the list says %s", n.bus, n.id, n.name, modalias, got, n.driver)
			continue
		}
		resolved++
	}
	t.Logf("%d adapters resolve to a module of their image", resolved)
}
