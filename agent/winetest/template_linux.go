package winetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// wineINF is what Wine makes a new prefix of.
const wineINF = "/usr/share/wine/wine.inf"

// copyTemplate makes a prefix as wineboot makes it, which takes several times as long.
// The one that is copied is kept in the user's cache, for this installation of Wine.
func copyTemplate(to string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	cache = filepath.Join(cache, "slipway-winetest")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return fmt.Errorf("make a folder for Wine: %w", err)
	}
	key, err := installation()
	if err != nil {
		return fmt.Errorf("look at Wine: %w", err)
	}
	template := filepath.Join(cache, key)
	if err := makeOnce(template); err != nil {
		return fmt.Errorf("set up Wine: %w", err)
	}
	return run(exec.Command("cp", "-a", "--reflink=auto", filepath.Join(template, "prefix"), to))
}

// installation tells Wine's installations apart.
func installation() (string, error) {
	h := sha256.New()
	for _, name := range []string{wine, wineserver, wineINF} {
		i, err := os.Stat(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, name, i.Size(), i.ModTime().UnixNano())
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

// makeOnce makes the template. Test programs that run at once wait for the first one;
// one that was interrupted leaves nothing that counts.
func makeOnce(template string) error {
	lock, err := os.OpenFile(template+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	if _, err := os.Stat(template); err == nil {
		return nil
	}
	unfinished := template + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.Mkdir(unfinished, 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	env := []string{"HOME=" + unfinished, "WINEPREFIX=" + filepath.Join(unfinished, "prefix"), debug, "PATH=" + os.Getenv("PATH")}
	boot, end := exec.CommandContext(ctx, wine, "wineboot", "-i"), exec.CommandContext(ctx, wineserver, "-k", "-w")
	boot.Env, end.Env = env, env
	if err := errors.Join(run(boot), run(end)); err != nil { // the registry is in its files when all has ended
		return err
	}
	return os.Rename(unfinished, template)
}

func run(c *exec.Cmd) error {
	if err := c.Run(); err != nil { // without its output: Wine's services would hold on to a pipe
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	return nil
}
