package content

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// unpackTime bounds the unpacking of an archive.
const unpackTime = 30 * time.Minute

// unpacker is a tool for a kind of archive.
type unpacker struct {
	tool, pkg string // program, and the Debian package that has it
	args      func(file, dir string) []string
}

// unpackers of archives as makers publish drivers in them.
var (
	by7z       = unpacker{"7z", "p7zip-full", func(file, dir string) []string { return []string{"x", "-y", "-bd", "-o" + dir, "--", file} }}
	byCab      = unpacker{"cabextract", "cabextract", func(file, dir string) []string { return []string{"--quiet", "--directory", dir, "--", file} }}
	byInno     = unpacker{"innoextract", "innoextract", func(file, dir string) []string { return []string{"--silent", "--output-dir", dir, "--", file} }}
	byMSI      = unpacker{"msiextract", "msitools", func(file, dir string) []string { return []string{"--directory", dir, file} }}
	innoMark   = []byte("Inno Setup Setup Data")
	innoLoader = []byte("rDlPtS")
)

// unpackerFor tells an archive by its first bytes; an installer made by Inno Setup by the
// marks in it.
func unpackerFor(file string) (unpacker, error) {
	f, err := os.Open(file)
	if err != nil {
		return unpacker{}, err
	}
	defer f.Close()
	head := make([]byte, 8)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return unpacker{}, invalid("the archive is empty")
	}
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte("MSCF")):
		return byCab, nil
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")): // a compound file
		return byMSI, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("7z\xbc\xaf\x27\x1c")):
		return by7z, nil
	case bytes.HasPrefix(head, []byte("MZ")):
		inno, err := holds(f, innoMark, innoLoader)
		if inno {
			return byInno, err
		}
		return by7z, err // also programs that unpack themselves
	}
	return unpacker{}, invalid("this is no archive that can be unpacked: a cabinet, zip, 7z, MSI, or a program that unpacks itself")
}

// holds looks for marks in a file.
func holds(f io.ReadSeeker, marks ...[]byte) (bool, error) {
	if err := func() error { _, err := f.Seek(0, io.SeekStart); return err }(); err != nil {
		return false, err
	}
	r := bufio.NewReaderSize(f, 1<<20)
	const overlap = 64
	for {
		text, err := r.Peek(1 << 20)
		for _, m := range marks {
			if bytes.Contains(text, m) {
				return true, nil
			}
		}
		if err != nil {
			return false, nil
		}
		if _, err := r.Discard(len(text) - overlap); err != nil {
			return false, err
		}
	}
}

// unpack takes in what an archive holds, as a folder.
func (k *intake) unpack(ctx context.Context, file string) error {
	u, err := unpackerFor(file)
	if err != nil {
		return err
	}
	tool, err := exec.LookPath(u.tool)
	if err != nil {
		return invalid("%s was not found on the appliance's machine, and this archive cannot be unpacked without it: install the Debian package %s", u.tool, u.pkg)
	}
	dir, err := os.MkdirTemp(k.s.blobs.incoming(), "unpacked-*")
	if err != nil {
		return full(err)
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			k.s.o.Logger.WarnContext(ctx, "unpacked files were not removed", "error", err)
		}
	}()
	k.job.stage(stageUnpack, 0)
	if err := k.runUnpacker(ctx, tool, u, file, dir); err != nil {
		return err
	}
	path := k.in.Path
	defer func() { k.in.Path = path }()
	k.in.Path, k.in.Kind = dir, KindFolder
	return k.folder(ctx)
}

// runUnpacker runs the tool, and ends it when the disk has no more room to give.
func (k *intake) runUnpacker(ctx context.Context, tool string, u unpacker, file, dir string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, unpackTime, invalid("the archive was not unpacked within %s", unpackTime))
	defer cancel()
	guarded, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watch := time.NewTicker(time.Second)
	defer watch.Stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-guarded.Done():
				return
			case <-watch.C:
				if err := k.s.blobs.room(0); err != nil {
					stop(err)
					return
				}
			}
		}
	}()
	c := exec.CommandContext(guarded, tool, u.args(file, dir)...)
	c.Dir, c.Env = dir, append(os.Environ(), "LC_ALL=C.UTF-8")
	c.WaitDelay = 3 * time.Second
	out, err := c.CombinedOutput()
	cause := context.Cause(guarded)
	stop(nil)
	<-done
	switch {
	case cause != nil:
		return cause
	case err != nil:
		said := strings.Join(strings.Fields(strings.ToValidUTF8(string(out), "?")), " ")
		return invalid("%s cannot unpack the archive: %v: %s", filepath.Base(tool), err, said[max(0, len(said)-300):])
	}
	return nil
}

// checkDigest compares a file with the digest that it must have.
func checkDigest(ctx context.Context, file, want string) error {
	if want == "" {
		return nil
	}
	kind, sum, _ := strings.Cut(want, ":")
	hashes := map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New}
	if hashes[kind] == nil {
		return invalid("digest: %.60q is unknown; use sha256:, sha1: or md5: and hex digits", want)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	h := hashes[kind]()
	if err := copyTo(ctx, h, f, 1<<62, func(int64) {}); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, sum) {
		return invalid("the file has the %s %s, not %s: it was changed on the way, or the list is older than it", kind, got, sum)
	}
	return nil
}

// Download writes what an address gives, under the rules of imports: no private address
// unless the configuration allows it, few redirects, none to plain http.
func (s *Service) Download(ctx context.Context, address string, limit int64, to io.Writer) error {
	u, err := parseURL(address)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	req, err := newRequest(ctx, u)
	if err != nil {
		return err
	}
	resp, err := s.fetcher().Do(req)
	if errors.Is(err, ErrRefused) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: the download failed: %w", ErrInvalid, bare(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return invalid("url: the server answers %s", resp.Status)
	}
	dog := time.AfterFunc(fetchStall, stop)
	defer dog.Stop()
	err = copyTo(ctx, to, &kicked{resp.Body, dog}, limit, func(int64) {})
	if err != nil && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrFull) {
		err = fmt.Errorf("%w: the download broke off: %w", ErrInvalid, err)
	}
	return err
}
