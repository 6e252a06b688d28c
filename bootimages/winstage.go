package bootimages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stagedTime is the time of every file that is added to a Windows image.
var stagedTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// The moments of hooks, each a folder of the hooks folder.
const (
	hookBeforeNetwork = "before-network"
	hookAfterNetwork  = "after-network"
	hookAfterSignIn   = "after-sign-in"
)

// winInputs are the administrator's files that go into a Windows PE image.
type winInputs struct {
	overlay, drivers, hooks []folderFile
	infs                    []string            // of the drivers, those for the architecture, by name
	run                     map[string][]string // hooks by moment, in the order of names
	roots                   [][]byte            // certificates, DER
	wallpaper               []byte
}

// readWinInputs reads and checks the folders.
func readWinInputs(o Options, arch string, m *meter) (*winInputs, error) {
	in := &winInputs{run: map[string][]string{}}
	for _, f := range []struct {
		dir string
		to  *[]folderFile
	}{{o.Overlay, &in.overlay}, {o.Windows.Drivers, &in.drivers}, {o.Windows.Hooks, &in.hooks}} {
		if f.dir == "" {
			continue
		}
		var err error
		if *f.to, err = readWindowsFolder(f.dir, o.AllowSecrets); err != nil {
			return nil, err
		}
	}
	for _, f := range in.overlay {
		if p := strings.ToLower(f.name); strings.HasPrefix(p, "slipway/") || p == "slipway" || p == "windows/system32/winpeshl.ini" {
			return nil, fmt.Errorf("%w: the overlay holds %s, which belongs to the image itself", ErrOption, f.name)
		}
	}
	return in, errors.Join(in.findDrivers(o.Windows.Drivers, arch, m), in.findHooks(o.Windows.Hooks), in.readRoots(o.Windows.Roots), in.readWallpaper(o.Windows.Wallpaper))
}

// readWindowsFolder reads a folder whose names Windows must be able to hold.
func readWindowsFolder(dir string, allowSecrets bool) ([]folderFile, error) {
	files, err := readFolder(dir, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	seen := map[string]string{}
	for _, f := range files {
		lower := strings.ToLower(f.name)
		switch {
		case f.link != "":
			return nil, fmt.Errorf("%w: %s/%s is a link, which Windows PE cannot follow: put the file there", ErrOption, dir, f.name)
		case !windowsPath(f.name):
			return nil, fmt.Errorf("%w: Windows cannot have a file named %s (folder %s)", ErrOption, f.name, dir)
		case seen[lower] != "":
			return nil, fmt.Errorf("%w: %s and %s in %s are one name to Windows", ErrOption, seen[lower], f.name, dir)
		}
		seen[lower] = f.name
	}
	if allowSecrets {
		return files, nil
	}
	return files, refuseSecrets(dir, files)
}

// windowsPath reports whether Windows takes the names of a path (Microsoft: "Naming
// Files, Paths, and Namespaces").
func windowsPath(p string) bool {
	for name := range strings.SplitSeq(p, "/") {
		base, _, _ := strings.Cut(strings.ToUpper(name), ".")
		if strings.ContainsAny(name, `<>:"\|?*`) || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || len(name) > 200 {
			return false
		}
		for _, c := range name {
			if c < 0x20 || c == 0xfffd {
				return false
			}
		}
		if slices.Contains([]string{"CON", "PRN", "AUX", "NUL"}, base) || len(base) == 4 && (strings.HasPrefix(base, "COM") || strings.HasPrefix(base, "LPT")) && base[3] >= '1' && base[3] <= '9' {
			return false
		}
	}
	return true
}

// plainName reports whether a path can stand in a command file as it is.
func plainName(p string) bool {
	for _, c := range p {
		if c < 0x20 || c > 0x7e || strings.ContainsRune(`%^!&"`, c) {
			return false
		}
	}
	return true
}

// findDrivers lists the .inf files for the architecture.
func (in *winInputs) findDrivers(dir, arch string, m *meter) error {
	if dir == "" {
		return nil
	}
	others := 0
	for _, f := range in.drivers {
		if !strings.EqualFold(path.Ext(f.name), ".inf") || strings.EqualFold(path.Base(f.name), "autorun.inf") {
			continue
		}
		if !plainName(f.name) {
			return fmt.Errorf("%w: the driver file %q is named with characters that command files do not take: rename it", ErrOption, f.name)
		}
		ok, err := infFor(f.source, arch)
		if err != nil {
			return err
		}
		if !ok {
			others++
			continue
		}
		in.infs = append(in.infs, f.name)
	}
	if len(in.infs) == 0 {
		return fmt.Errorf("%w: the drivers folder %s has no .inf file for %s (unpack the vendor's archive first)", ErrOption, dir, arch)
	}
	m.note(fmt.Sprintf("drivers: %d for %s, %d for others are not loaded", len(in.infs), arch, others))
	return nil
}

// infFor reports whether a driver's description has models for an architecture; the
// names of sections end in .ntamd64 and the like (Microsoft: "INF Manufacturer
// Section"). One that names no architecture at all is for every one.
func infFor(p, arch string) (bool, error) {
	f, err := os.Open(p)
	if err != nil {
		return false, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4<<20))
	if err != nil {
		return false, err
	}
	text := bytes.ToLower(bytes.ReplaceAll(b, []byte{0}, nil)) // UTF-16 as well
	named := false
	for _, a := range []string{"ntamd64", "ntarm64", "ntx86"} {
		named = named || bytes.Contains(text, []byte(a))
	}
	return !named || bytes.Contains(text, []byte(map[string]string{X64: "ntamd64", ARM64: "ntarm64"}[arch])), nil
}

// hookEndings are the programs that hooks may be.
var hookEndings = []string{".cmd", ".bat", ".exe", ".ps1"}

func (in *winInputs) findHooks(dir string) error {
	if dir == "" {
		return nil
	}
	for _, f := range in.hooks {
		moment, rest, below := strings.Cut(f.name, "/")
		if !below || !slices.Contains([]string{hookBeforeNetwork, hookAfterNetwork, hookAfterSignIn}, moment) {
			return fmt.Errorf("%w: %s/%s: hooks lie in the folders %s, %s and %s", ErrOption, dir, f.name, hookBeforeNetwork, hookAfterNetwork, hookAfterSignIn)
		}
		if strings.Contains(rest, "/") || !slices.Contains(hookEndings, strings.ToLower(path.Ext(rest))) {
			continue // a file that a hook uses
		}
		if !plainName(rest) {
			return fmt.Errorf("%w: the hook %q is named with characters that command files do not take: rename it", ErrOption, f.name)
		}
		in.run[moment] = append(in.run[moment], f.name)
	}
	if len(in.run) == 0 {
		return fmt.Errorf("%w: the hooks folder %s has no program (%s) in %s, %s or %s", ErrOption, dir, strings.Join(hookEndings, ", "), hookBeforeNetwork, hookAfterNetwork, hookAfterSignIn)
	}
	return nil
}

// usesPowerShell reports a hook that PowerShell must run.
func (in *winInputs) usesPowerShell() string {
	for _, moment := range sortedKeys(in.run) {
		for _, name := range in.run[moment] {
			if strings.EqualFold(path.Ext(name), ".ps1") {
				return name
			}
		}
	}
	return ""
}

func (in *winInputs) readWallpaper(p string) error {
	if p == "" {
		return nil
	}
	info, err := os.Stat(p)
	if err != nil {
		return fmt.Errorf("wallpaper: %w", err)
	}
	if info.Size() > 32<<20 {
		return fmt.Errorf("%w: the wallpaper has more than 32 MiB", ErrOption)
	}
	if in.wallpaper, err = os.ReadFile(p); err != nil {
		return fmt.Errorf("wallpaper: %w", err)
	}
	if _, err := jpeg.DecodeConfig(bytes.NewReader(in.wallpaper)); err != nil {
		return fmt.Errorf("%w: the wallpaper %s is not a JPEG picture: %w", ErrOption, p, err)
	}
	return nil
}

// lines are the inputs of the administrator's files.
func (in *winInputs) lines() (out []string) {
	for _, f := range in.overlay {
		out = append(out, f.input("overlay"))
	}
	for _, f := range in.drivers {
		out = append(out, f.input("driver"))
	}
	for _, f := range in.hooks {
		out = append(out, f.input("hook"))
	}
	for _, r := range in.roots {
		out = append(out, "root sha256:"+Fingerprint(r))
	}
	if in.wallpaper != nil {
		out = append(out, "wallpaper sha256:"+Fingerprint(in.wallpaper))
	}
	return out
}

// stage writes all that is added to the image into a folder that mirrors its root.
func (in *winInputs) stage(dir string, o Options, agent folderFile, id string, s *winSource) error {
	put := func(name string, content []byte) error {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o644)
	}
	inside, err := json.MarshalIndent(Inside{Format: 1, ID: id, Kind: KindWinPE, Architecture: s.image.Architecture, AgentVersion: o.AgentVersion,
		Protocol: o.Protocol, Lab: o.Lab, Keyboard: o.Keyboard, Servers: append([]string{}, o.Servers...)}, "", "  ")
	if err != nil {
		return err
	}
	errs := []error{copyFiles(dir, "", in.overlay), copyFiles(dir, "slipway/drivers", in.drivers), copyFiles(dir, "slipway/hooks", in.hooks),
		copyFiles(dir, "slipway", []folderFile{agent}),
		put("slipway/image.json", append(inside, '\n')),
		put("slipway/installation", []byte(o.Installation+"\n")),
		put("slipway/ca.pem", canonicalCAs(o.CAs)),
		put("slipway/start.cmd", in.startCommand(id, o.Lab)),
		put("Windows/System32/winpeshl.ini", []byte(winpeshl))}
	if len(in.roots) > 0 {
		errs = append(errs, put("slipway/roots.reg", rootsFile(in.roots)))
	}
	if in.wallpaper != nil {
		errs = append(errs, put("Windows/System32/winpe.jpg", in.wallpaper))
		if s.has("/Windows/System32/winre.jpg") {
			errs = append(errs, put("Windows/System32/winre.jpg", in.wallpaper))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return setTimes(dir)
}

// copyFiles copies files whose hashes were taken before, and checks these.
func copyFiles(dir, below string, files []folderFile) error {
	for _, f := range files {
		to := filepath.Join(dir, filepath.FromSlash(below), filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		from, err := os.Open(f.source)
		if err != nil {
			return err
		}
		err = errors.Join(writeFile(to, from), from.Close())
		if err != nil {
			return err
		}
		if sum, _, err := hashFile(to); err != nil || sum != f.sum {
			return errors.Join(err, fmt.Errorf("%s: %w: it changed while the image was built; build again", f.source, ErrCorrupt))
		}
	}
	return nil
}

// setTimes gives everything below dir the same time; folders after what is in them.
func setTimes(dir string) error {
	var paths []string
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		paths = append(paths, p)
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range slices.Backward(paths) {
		if err := os.Chtimes(p, stagedTime, stagedTime); err != nil {
			return err
		}
	}
	return nil
}
