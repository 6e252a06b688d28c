package netboot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"strings"
	"sync"
	"time"
)

// With Secure Boot on and only Microsoft's certificates in the firmware, Debian's
// shim (signed by Microsoft) starts Debian's GRUB, which starts Debian's kernel:
//
//	device/<key>/shimx64.efi   firmware asks; "not found" when the disk is to start
//	device/<key>/grubx64.efi   shim asks, from beside it
//	grub/grub.cfg              GRUB asks, from the server that the DHCP lease named
//	grub/device/<mac>_<uuid>/grub.cfg
//	boot/<image id>/vmlinuz, initrd.zst
//
// GRUB knows the lease and nothing of a proxy's offer. So this way needs the lease
// to name us: ours, or an ordinary server's whose next-server is this appliance.

const (
	shimFile   = "shimx64.efi"
	grubEFI    = "grubx64.efi"
	bootFolder = "boot/"
)

// errShimByHTTP says that GRUB cannot go on after UEFI HTTP Boot.
var errShimByHTTP = errors.New("shim and GRUB do not boot by UEFI HTTP Boot")

// shimReady reports that shim and GRUB are there.
func (p *proxy) shimReady() (bool, error) {
	for _, name := range []string{shimFile, grubEFI} {
		found, err := p.find([]string{name})
		if err != nil || found == "" {
			return false, err
		}
	}
	return true, nil
}

// shimProgram names shim for a client. Where it cannot boot, the firmware is left to
// its next entry or gets iPXE, and the log says why.
func (p *proxy) shimProgram(c Client) (string, error) {
	if c.Firmware == UEFIHTTP {
		return "", errShimByHTTP
	}
	ready, err := p.shimReady()
	if err != nil {
		return "", err
	}
	if ready && c.Arch == ArchX64 {
		return deviceFolderOf(c) + shimFile, nil
	}
	if p.warned.due("shim "+c.Arch, p.cfg.Now()) {
		p.cfg.Logger.Warn("no signed shim and GRUB for this machine: it is given iPXE, which firmware with Secure Boot refuses; they come with the packages shim-signed and grub-efi-amd64-signed at the next image build, for x64 only",
			"mac", c.MAC.String(), "arch", c.Arch)
	}
	return p.find(loaderNames(c))
}

// openShim opens shim for a client whose policy says so. A decision for the image
// is not consumed here: GRUB asks for it.
func (c *Config) openShim(ctx context.Context, client Client) (*File, error) {
	ctx, cancel := context.WithTimeout(ctx, directDeadline)
	defer cancel()
	boot, err := c.Policy.Peek(ctx, client)
	if err == nil && boot != nil && boot.Target == TargetDisk {
		boot, err = c.Policy.Decide(ctx, client) // nothing else will be asked
	}
	if err != nil {
		return nil, fmt.Errorf("ask the boot policy: %w", err)
	}
	if boot == nil || boot.Target != TargetImage {
		return nil, fmt.Errorf("nothing to boot for %s: %w", client.MAC, fs.ErrNotExist)
	}
	return c.Loaders.Open(shimFile)
}

// openSigned opens what shim and GRUB ask for after shim. ok is false for a name
// that is none of theirs.
func (s *tftpServer) openSigned(ctx context.Context, name string, at peers, final bool) (f *File, ok bool, err error) {
	lower := strings.ToLower(name)
	if path.Base(lower) == grubEFI && (strings.HasPrefix(lower, deviceFolder+"/") || lower == grubEFI) {
		if final {
			s.grub.loaded(at.remote.Addr(), s.cfg.Now())
		}
		f, err = s.cfg.Loaders.Open(grubEFI)
		return f, true, err
	}
	if lower == grubRoot || lower == grubPlatf {
		s.grub.asked(at.remote.Addr())
		server := s.reachedAt(at.local)
		if !server.IsValid() {
			return nil, true, fs.ErrNotExist
		}
		return textFile(grubEntry(server)), true, nil
	}
	if rest, is := strings.CutPrefix(name, bootFolder); is {
		f, err = s.cfg.Images.Open(rest)
		return f, true, err
	}
	return nil, false, nil
}

// openGrub makes GRUB's second file.
func (s *tftpServer) openGrub(ctx context.Context, c Client, at peers, final bool) (*File, error) {
	ctx, cancel := context.WithTimeout(ctx, directDeadline)
	defer cancel()
	c.Server, c.Address = s.reachedAt(at.local), at.remote.Addr()
	ask := s.cfg.Policy.Peek
	if final {
		ask = s.cfg.Policy.Decide
	}
	boot, err := ask(ctx, c)
	if err != nil {
		s.log.ErrorContext(ctx, "boot policy cannot be asked", "mac", c.MAC.String(), "err", err)
		boot = &Boot{Target: TargetImage, Message: "the appliance cannot decide what to boot at the moment."}
	}
	if boot == nil {
		return nil, fs.ErrNotExist
	}
	text, err := renderGrub(c.Server, c, *boot)
	if err == nil && final {
		s.log.InfoContext(ctx, "boot configuration for GRUB made", "mac", c.MAC.String(), "uuid", c.UUID,
			"target", string(boot.Target), "kernel", boot.Kernel, "address", c.Address.String())
	}
	return textFile(text), err
}

func textFile(text string) *File {
	return &File{ReadSeekCloser: nopCloser{strings.NewReader(text)}, Size: int64(len(text))}
}

// peers are the two ends of a request.
type peers struct {
	local  netip.Addr
	remote netip.AddrPort
}

// grubWatch notices machines that loaded GRUB here and whose GRUB then asked
// elsewhere.
type grubWatch struct {
	mu      sync.Mutex
	waiting map[netip.Addr]time.Time // since GRUB was loaded
}

const (
	// grubPatience is how long GRUB may take from its load to its first question:
	// seconds on real machines, some ten on slow emulated ones.
	grubPatience  = time.Minute
	maxGrubsWatch = 1024
)

func (g *grubWatch) loaded(a netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting == nil {
		g.waiting = map[netip.Addr]time.Time{}
	}
	if len(g.waiting) < maxGrubsWatch {
		g.waiting[a] = now
	}
}

func (g *grubWatch) asked(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.waiting, a)
}

// overdue returns, once each, the machines that did not come back.
func (g *grubWatch) overdue(now time.Time) (out []netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for a, since := range g.waiting {
		if now.Sub(since) >= grubPatience {
			delete(g.waiting, a)
			out = append(out, a)
		}
	}
	return out
}

// tellLost says why machines stand at GRUB's prompt.
func (s *tftpServer) tellLost(ctx context.Context) {
	for _, a := range s.grub.overdue(s.cfg.Now()) {
		s.log.WarnContext(ctx, "GRUB was loaded and did not come back: it asks the server that the DHCP lease names (siaddr), not the proxy. "+
			"Set next-server of the DHCP server to this appliance, let the appliance hand out the addresses (dhcp.mode: authoritative), or take another way of boot.uefi",
			"address", a.String())
	}
}
