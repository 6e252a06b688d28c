package netboot

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"strings"
	"sync"
	"time"
)

// Windows PE is started by Microsoft's boot manager, which asks the server that it
// came from for all the rest, by names of its own (as it spells them, `\` and any
// case):
//
//	device/<key>/bootmgfw.efi   UEFI firmware asks, by TFTP; signed by Microsoft
//	device/<key>/pxeboot.n12    BIOS asks; then bootmgr.exe beside it or in the root
//	\Boot\BCD, \Boot\Fonts\...  the same names for every machine and image: who asks is
//	                            known by its address
//	\Boot\<image id>\boot.sdi, boot.wim   as the BCD names them
//	device/<key>/winpe.img      UEFI HTTP Boot asks: a disk with all of it
//
// Or wimboot starts it below iPXE, when the administrator has put that there.

// Windows says that a decision's image is Windows PE.
type Windows struct {
	Image  string // id; its files lie below /boot/<id>/
	BIOS   bool   // pxeboot.n12 and bootmgr.exe are among them
	Disk   bool   // so is winpe.img
	ByIPXE bool   // UEFI firmware is to get there by iPXE and wimboot

	wimboot bool // is among the loaders
}

const (
	windowsManager = "bootmgfw.efi"
	windowsBIOS    = "pxeboot.n12"
	windowsBIOSMgr = "bootmgr.exe"
	windowsDisk    = "winpe.img"
	wimbootFile    = "wimboot"
)

// WindowsFolder is the folder, in the appliance's data folder, where the
// administrator puts wimboot.
const WindowsFolder = "windows"

// windowsProgram names what a client's firmware is given first on the way to Windows
// PE.
func (p *proxy) windowsProgram(c Client, w Windows) (string, error) {
	switch {
	case c.Loader, c.Firmware == UEFI && w.ByIPXE:
		return p.find(loaderNames(c))
	case c.Firmware == UEFI:
		return deviceFolderOf(c) + windowsManager, nil
	case c.Firmware == UEFIHTTP:
		if w.Disk {
			return deviceFolderOf(c) + windowsDisk, nil
		}
		return p.find(loaderNames(c))
	}
	name, err := p.find([]string{wimbootFile})
	if err == nil && name == "" && w.BIOS {
		return deviceFolderOf(c) + windowsBIOS, nil
	}
	if err != nil {
		return "", err
	}
	return p.find(loaderNames(c))
}

// windowsName reports whether a file of a device's folder is one of Windows PE.
func windowsName(file string) bool {
	return file == windowsManager || file == windowsBIOS || file == windowsBIOSMgr || file == windowsDisk
}

// openWindows opens a file of Windows PE for a client whose policy says so. The image
// is returned with it.
func (c *Config) openWindows(ctx context.Context, client Client, file string, final bool) (*File, string, error) {
	ctx, cancel := context.WithTimeout(ctx, directDeadline)
	defer cancel()
	ask := c.Policy.Peek
	if final && file != windowsBIOSMgr { // the first file has taken the decision
		ask = c.Policy.Decide
	}
	boot, err := ask(ctx, client)
	if !final && err == nil && boot != nil && boot.Target == TargetDisk {
		boot, err = c.Policy.Decide(ctx, client) // it is refused now, and asks nothing more
	}
	if err != nil {
		return nil, "", fmt.Errorf("ask the boot policy: %w", err)
	}
	if boot == nil || boot.Target != TargetImage || boot.Windows == nil {
		return nil, "", fmt.Errorf("no Windows PE for %s: %w", client.MAC, fs.ErrNotExist)
	}
	f, err := c.Images.Open(boot.Windows.Image + "/" + file)
	if final && err == nil {
		c.Logger.InfoContext(ctx, "Windows boot manager loaded by firmware", "mac", client.MAC.String(), "uuid", client.UUID,
			"firmware", string(client.Firmware), "image", boot.Windows.Image, "file", file, "address", client.Address.String())
	}
	return f, boot.Windows.Image, err
}

// openManager opens a boot manager in a device's folder, and remembers which image
// the address is on its way to.
func (s *tftpServer) openManager(ctx context.Context, c Client, file string, at peers, final bool) (*File, error) {
	c.Server, c.Address = s.reachedAt(at.local), at.remote.Addr()
	if file == windowsBIOS || file == windowsBIOSMgr {
		c.Firmware = BIOS
	}
	f, image, err := s.cfg.openWindows(ctx, c, file, final)
	if err == nil {
		s.windows.loaded(c.Address, windowsClient{image: image, bios: c.Firmware == BIOS, at: s.cfg.Now()})
	}
	return f, err
}

// openForManager opens what a boot manager asks for by a name of its own. ok is false
// for a name that is none of these, or an address that loaded no boot manager.
func (s *tftpServer) openForManager(name string, at peers) (f *File, ok bool, err error) {
	lower := strings.ToLower(name)
	rest, below := strings.CutPrefix(lower, bootFolder)
	if !below && lower != windowsBIOSMgr {
		return nil, false, nil
	}
	if strings.Count(rest, "/") == 1 && !strings.HasPrefix(rest, "fonts/") {
		f, err = s.cfg.Images.Open(rest)
		return f, err == nil, err
	}
	w, known := s.windows.get(at.remote.Addr(), s.cfg.Now())
	if !known {
		return nil, false, nil
	}
	file := ""
	switch {
	case lower == windowsBIOSMgr && w.bios:
		file = windowsBIOSMgr
	case rest == "bcd" && w.bios:
		file = "BCD.bios"
	case rest == "bcd":
		file = "BCD"
	case strings.HasPrefix(rest, "fonts/") && path.Ext(rest) == ".ttf":
		file = path.Base(rest)
	default:
		return nil, false, nil
	}
	f, err = s.cfg.Images.Open(w.image + "/" + file)
	return f, true, err
}

// windowsClient is a machine on its way to Windows PE.
type windowsClient struct {
	image string
	bios  bool
	at    time.Time
}

// windowsClients knows machines that loaded a boot manager, by address.
type windowsClients struct {
	mu    sync.Mutex
	known map[netip.Addr]windowsClient
}

const (
	// windowsPatience is how long a boot manager may ask: a large image over a slow
	// line takes its time.
	windowsPatience   = 2 * time.Hour
	maxWindowsClients = 4096
)

func (w *windowsClients) loaded(a netip.Addr, c windowsClient) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known == nil {
		w.known = map[netip.Addr]windowsClient{}
	}
	if _, ok := w.known[a]; !ok && len(w.known) >= maxWindowsClients {
		w.forgetOldest()
	}
	w.known[a] = c
}

// forgetOldest makes room for one. The caller holds mu.
func (w *windowsClients) forgetOldest() {
	var oldest netip.Addr
	for a, c := range w.known {
		if !oldest.IsValid() || c.at.Before(w.known[oldest].at) {
			oldest = a
		}
	}
	delete(w.known, oldest)
}

func (w *windowsClients) get(a netip.Addr, now time.Time) (windowsClient, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.known[a]
	if ok && now.Sub(c.at) > windowsPatience {
		delete(w.known, a)
		return windowsClient{}, false
	}
	return c, ok
}

// windowsLines are the script's commands that start Windows PE: wimboot where it is,
// else, on UEFI, a disk that iPXE shows to the firmware.
func (s *script) windowsLines(w Windows) ([]string, error) {
	if err := safePath(w.Image); err != nil {
		return nil, err
	}
	file := func(name string) string { return s.site.httpURL("/boot/" + w.Image + "/" + name) }
	if !w.wimboot {
		return []string{"sanboot --no-describe " + file(windowsDisk) + " || goto failed"}, nil
	}
	manager := windowsManager
	if s.fw == BIOS {
		manager = windowsBIOSMgr
	}
	lines := []string{"kernel " + stall + s.site.httpURL("/boot/loaders/"+wimbootFile) + " || goto failed"}
	// The name stands twice: as UEFI finds the file, and as BIOS does.
	for _, f := range [][2]string{{manager, manager}, {"BCD", "BCD.media"}, {"boot.sdi", "boot.sdi"}, {"boot.wim", "boot.wim"}} {
		lines = append(lines, "initrd "+stall+"--name "+f[0]+" "+file(f[1])+" "+f[0]+" || goto failed")
	}
	return lines, nil
}

// message says why a loader cannot go on to Windows PE, or "".
func (w Windows) message(fw Firmware) string {
	switch {
	case w.wimboot && (fw != BIOS || w.BIOS), fw != BIOS && w.Disk:
		return ""
	case w.wimboot:
		return "this Windows PE image has no boot manager for BIOS machines."
	}
	return "Windows PE needs wimboot on this way: put the file wimboot in the folder windows of the data folder of the appliance. docs/windows.md tells more."
}
