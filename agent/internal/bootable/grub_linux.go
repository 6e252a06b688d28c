package bootable

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// platform is one of GRUB's, by its folder below /usr/lib/grub.
type platform struct {
	name     string
	file     string // on the removable path of an EFI system partition
	loader   string // in the folder of the distribution
	modules  []string
	packages string // that bring it
}

// common are the modules each image holds where GRUB has them: all that it takes to
// find and read its configuration, and to start Linux, without loading more.
var common = []string{"part_gpt", "part_msdos", "ext2", "xfs", "btrfs", "fat", "search", "search_fs_uuid", "normal", "configfile",
	"linux", "boot", "echo", "test", "serial", "terminal", "ls", "cat", "sleep", "halt", "reboot", "minicmd"}

var (
	biosPlatform = platform{name: "i386-pc", modules: []string{"biosdisk"},
		packages: "Debian: grub-pc-bin and grub-common, Fedora: grub2-pc-modules and grub2-tools"}
	efiPlatforms = map[string]platform{
		"amd64": {name: "x86_64-efi", file: "BOOTX64.EFI", loader: "grubx64.efi", modules: []string{"efi_gop", "efi_uga", "all_video"},
			packages: "Debian: grub-efi-amd64-bin and grub-common, Fedora: grub2-efi-x64-modules and grub2-tools"},
		"arm64": {name: "arm64-efi", file: "BOOTAA64.EFI", loader: "grubaa64.efi", modules: []string{"efi_gop", "all_video"},
			packages: "Debian: grub-efi-arm64-bin and grub-common, Fedora: grub2-efi-aa64-modules and grub2-tools"},
	}
)

// grub is the GRUB that a system brings.
type grub struct {
	root   *os.Root
	run    func(ctx context.Context, args ...string) error
	tool   string // grub-mkimage, by its path in the system
	folder string // where grub.cfg lies
}

// findGrub looks for the tool under the names of Debian and of Fedora.
func findGrub(root *os.Root, run func(context.Context, ...string) error) grub {
	g := grub{root: root, run: run, folder: "boot/grub"}
	for _, one := range []struct{ tool, folder string }{{"grub-mkimage", "boot/grub"}, {"grub2-mkimage", "boot/grub2"}} {
		for _, dir := range []string{"usr/bin/", "usr/sbin/"} {
			if g.tool == "" && exists(root, dir+one.tool) {
				g.tool, g.folder = "/"+dir+one.tool, one.folder
			}
		}
	}
	return g
}

func (g grub) has(p platform) bool {
	return g.tool != "" && exists(g.root, "usr/lib/grub/"+p.name+"/normal.mod")
}

// image has the system's grub-mkimage make GRUB's image for a platform.
func (g grub) image(ctx context.Context, p platform, start string) ([]byte, error) {
	config, out := g.folder+"/.start.cfg", g.folder+"/.core.img"
	if err := write(g.root, config, []byte(start), 0o600); err != nil {
		return nil, err
	}
	defer func() { _, _ = g.root.Remove(config), g.root.Remove(out) }()
	args := []string{g.tool, "-O", p.name, "-p", "/" + g.folder, "-c", "/" + config, "-o", "/" + out}
	for _, m := range append(append([]string{}, p.modules...), common...) {
		if exists(g.root, "usr/lib/grub/"+p.name+"/"+m+".mod") {
			args = append(args, m)
		}
	}
	if err := g.run(ctx, args...); err != nil {
		return nil, fmt.Errorf("make GRUB's image for %s: %w", p.name, err)
	}
	image, err := g.root.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("read GRUB's image for %s: %w", p.name, err)
	}
	return image, nil
}

// modules copies GRUB's modules beside grub.cfg: one that update-grub writes later
// loads some.
func (g grub) modules(p platform) error {
	from := "usr/lib/grub/" + p.name
	list, err := fs.ReadDir(g.root.FS(), from)
	if err != nil {
		return fmt.Errorf("copy GRUB's modules: %w", err)
	}
	for _, e := range list {
		if !strings.HasSuffix(e.Name(), ".mod") && !strings.HasSuffix(e.Name(), ".lst") {
			continue
		}
		data, err := g.root.ReadFile(path.Join(from, e.Name()))
		if err != nil {
			return fmt.Errorf("copy GRUB's modules: %w", err)
		}
		if err := copyFile(g.root, path.Join(g.folder, p.name, e.Name()), data); err != nil {
			return err
		}
	}
	return nil
}
