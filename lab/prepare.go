package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The console account of a prepared appliance.
const (
	Administrator         = "admin"
	AdministratorPassword = "harbour pencil seven lantern"
)

// Prepared is a data folder of an appliance that has the lab's passcode, an
// administrator and a built boot image. It is made once for given programs and
// packages and copied for every lab: an image build takes longer than a boot.
type Prepared struct {
	Dir string
}

// Prepare returns the prepared data folder below cache, making it when the
// programs in bin or the packages have changed since. Progress goes to say.
func Prepare(ctx context.Context, cache, packages string, o Options, say io.Writer) (Prepared, error) {
	key, err := inputsKey(packages)
	if err != nil {
		return Prepared{}, err
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return Prepared{}, err
	}
	unlock, err := lockFile(filepath.Join(cache, "lock"))
	if err != nil {
		return Prepared{}, err
	}
	defer unlock()
	p := Prepared{Dir: filepath.Join(cache, "data-"+key)}
	if _, err := os.Stat(p.Dir); err == nil {
		return p, nil
	}
	run, err := NewRun(o)
	if err != nil {
		return Prepared{}, err
	}
	defer run.Close()
	defer run.CloseOnSignal()()
	data, err := buildData(ctx, run, packages, filepath.Join(cache, "kernels"), say)
	if err != nil {
		if kept, kerr := run.Keep(); kerr == nil {
			err = fmt.Errorf("%w (logs in %s)", err, kept)
		}
		return Prepared{}, err
	}
	old, _ := filepath.Glob(filepath.Join(cache, "data-*"))
	for _, d := range old {
		if err := os.RemoveAll(d); err != nil {
			return Prepared{}, err
		}
	}
	if err := command("cp", "-a", data, p.Dir+".new"); err != nil {
		return Prepared{}, err
	}
	return p, os.Rename(p.Dir+".new", p.Dir)
}

// buildData runs an appliance in a private network and sets it up as a person
// would, by the commands. Packed kernels are kept in the folder kernels: the next
// image, with other programs, has the same.
func buildData(ctx context.Context, run *Run, packages, kernels string, say io.Writer) (string, error) {
	net, err := run.NewNetwork()
	if err != nil {
		return "", err
	}
	a, err := net.StartAppliance(ctx, ApplianceOptions{})
	if err != nil {
		return "", err
	}
	if _, err := a.Command(ctx, Passcode+"\n", "passcode", "set"); err != nil {
		return "", err
	}
	if _, err := a.Command(ctx, AdministratorPassword+"\n", "account", "add", Administrator, "--role", "administrator"); err != nil {
		return "", err
	}
	if packages, err = filepath.Abs(packages); err != nil {
		return "", err
	}
	ours := filepath.Join(a.Data, "cache", "kernels")
	if err := errors.Join(os.MkdirAll(kernels, 0o700), os.MkdirAll(ours, 0o755), command("cp", "-a", kernels+"/.", ours)); err != nil {
		return "", err
	}
	start := time.Now()
	fmt.Fprintln(say, "Building the boot image (kept for the next time)")
	out, err := a.Command(ctx, "", "image", "build", "linux", "--packages", packages)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(say, "%s\nBoot image built in %.1f s\n", strings.TrimSpace(out), time.Since(start).Seconds())
	a.Stop()
	return a.Data, command("cp", "-a", ours+"/.", kernels)
}

// Copy copies the prepared folder for one lab.
func (p Prepared) Copy(run *Run, name string) (string, error) {
	to := run.Path(name)
	unlock, err := lockFile(filepath.Join(filepath.Dir(p.Dir), "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	return to, command("cp", "-a", "--reflink=auto", p.Dir, to)
}

// inputsKey names what a prepared folder depends on.
func inputsKey(packages string) (string, error) {
	h := sha256.New()
	for _, name := range []string{"slipway", "slipway-agent"} {
		f, err := os.Open(filepath.Join(Root(), "bin", name))
		if err != nil {
			return "", fmt.Errorf("run `make build` first: %w", err)
		}
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	files, err := os.ReadDir(packages)
	if err != nil {
		return "", fmt.Errorf("run `make image` first: %w", err)
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() {
			fmt.Fprintf(h, "%s %d\n", f.Name(), info.Size())
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// lockFile takes a lock that ends with the process, and returns how to give it up.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// Tools says which of the lab's programs are missing.
func Tools() error {
	var missing []string
	for _, t := range []string{"ip", "qemu-system-x86_64", "dnsmasq", "tcpdump", "udhcpc", "dpkg-deb", "depmod", "mcopy"} {
		if _, err := exec.LookPath(t); err != nil {
			missing = append(missing, t)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the lab needs %s: run `make deps`", strings.Join(missing, ", "))
	}
	return nil
}
