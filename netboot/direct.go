package netboot

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Ways other than iPXE have no script in which the policy's decision could stand:
// firmware asks for one program and starts it. So the name of that program says
// which device asks, and the decision falls when it is loaded. A device that is to
// start from its disk gets "not found", upon which firmware goes on to the next
// entry of its boot order.
//
// The name is device/<mac>_<uuid>_<architecture>/slipway.efi; the UUID may be empty.

const (
	deviceFolder = "device"
	deviceFile   = "slipway.efi"
)

// directDeadline bounds the decision about a program asked for.
const directDeadline = 2 * time.Second

// devicePath names the program of a client. With the URL of a site it fits the 127
// bytes of the `file` header.
func devicePath(c Client) string { return deviceFolderOf(c) + deviceFile }

func deviceFolderOf(c Client) string {
	return deviceFolder + "/" + hex.EncodeToString(c.MAC) + "_" + c.UUID + "_" + c.Arch + "/"
}

// clientOfPath reads a name that devicePath made. Everything in it is a claim.
func clientOfPath(name string, firmware Firmware) (Client, bool) {
	folder, file := path.Split(name)
	key, ok := strings.CutPrefix(path.Clean(folder), deviceFolder+"/")
	parts := strings.Split(key, "_")
	if !ok || file != deviceFile && file != shimFile && !windowsName(file) || len(parts) != 3 {
		return Client{}, false
	}
	mac, err := hex.DecodeString(parts[0])
	if err != nil || !usableMAC(mac) {
		return Client{}, false
	}
	c := Client{MAC: mac, UUID: cleanUUID(parts[1]), Arch: parts[2], Firmware: firmware}
	return c, c.Arch == ArchX64 || c.Arch == ArchARM64
}

// openDevice opens the program that the policy has for a client: fs.ErrNotExist
// when it is to boot something else. final is false for a look that must not
// consume a one-time decision.
func (c *Config) openDevice(ctx context.Context, client Client, final bool) (*File, error) {
	ctx, cancel := context.WithTimeout(ctx, directDeadline)
	defer cancel()
	ask := c.Policy.Peek
	if final {
		ask = c.Policy.Decide
	}
	boot, err := ask(ctx, client)
	if !final && err == nil && boot != nil && boot.Target == TargetDisk {
		boot, err = c.Policy.Decide(ctx, client) // it is refused now, and asks nothing more
	}
	if err != nil {
		return nil, fmt.Errorf("ask the boot policy: %w", err)
	}
	if boot == nil || boot.Target != TargetImage || boot.OneFile == "" {
		return nil, fmt.Errorf("nothing to boot for %s: %w", client.MAC, fs.ErrNotExist)
	}
	f, err := c.Images.Open(boot.OneFile)
	if final && err == nil {
		c.Logger.InfoContext(ctx, "boot image loaded by firmware", "mac", client.MAC.String(), "uuid", client.UUID,
			"firmware", string(client.Firmware), "file", boot.OneFile, "address", client.Address.String())
	}
	return f, err
}

// program names what a client's firmware is given first: a path below the TFTP
// root, empty when there is no loader for it.
func (p *proxy) program(c Client, boot *Boot) (string, error) {
	if boot.Windows != nil && boot.Target == TargetImage {
		return p.windowsProgram(c, *boot.Windows)
	}
	if c.Loader || c.Firmware == BIOS || boot.Way == "" || boot.Way == WayIPXE {
		return p.find(loaderNames(c))
	}
	switch boot.Way {
	case WayShim:
		return p.shimProgram(c)
	case WaySigned:
		name, err := p.signedProgram(c.Arch)
		if name != "" || err != nil {
			return name, err
		}
		p.warnSigned(c)
		return p.find(loaderNames(c))
	}
	if boot.Target == TargetDisk {
		return devicePath(c), nil // is not there: the firmware goes on
	}
	if boot.Way == WayOneFile && boot.OneFile != "" {
		return devicePath(c), nil
	}
	return p.find(loaderNames(c))
}

// find returns the first of the names that is among the loaders, or "".
func (p *proxy) find(names []string) (string, error) {
	for _, name := range names {
		f, err := p.cfg.Loaders.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("open loader %s: %w", name, err)
		}
		return name, f.Close()
	}
	return "", nil
}
