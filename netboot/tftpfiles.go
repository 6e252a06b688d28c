package netboot

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"path"
	"strings"
)

// open is resolve, whose unexpected errors are logged: they are not for clients.
// final says that the file is being sent and not only looked at.
func (s *tftpServer) open(ctx context.Context, name string, at peers, final bool) (*File, error) {
	f, err := s.resolve(ctx, name, at, final)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.ErrorContext(ctx, "TFTP file cannot be opened", "name", name, "err", err)
	}
	return f, err
}

// refusalFor turns an error into one of the fixed texts.
func refusalFor(err error) *tftpRefusal {
	if errors.Is(err, fs.ErrNotExist) {
		return refuseNotFound
	}
	return refuseInternal
}

// resolve finds the file for a requested name: `\` is `/`, leading and repeated
// slashes and case do not matter, and no name leads out of the root.
func (s *tftpServer) resolve(ctx context.Context, name string, at peers, final bool) (*File, error) {
	if c, ok := grubClient(name); ok {
		return s.openGrub(ctx, c, at, final)
	}
	clean, ok := cleanTFTPName(name)
	if !ok {
		return nil, fs.ErrNotExist
	}
	if c, ok := clientOfPath(clean, UEFI); ok {
		c.Server = s.reachedAt(at.local)
		if file := path.Base(clean); windowsName(file) {
			return s.openManager(ctx, c, file, at, final)
		}
		if path.Base(clean) == shimFile {
			c.Address = at.remote.Addr()
			return s.cfg.openShim(ctx, c)
		}
		return s.cfg.openDevice(ctx, c, final)
	}
	if f, ok, err := s.openForManager(clean, at); ok {
		return f, err
	}
	if f, ok, err := s.openSigned(ctx, clean, at, final); ok {
		return f, err
	}
	f, err := s.cfg.Loaders.Open(clean)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if folder, can := s.cfg.Loaders.(Folder); can {
		if found, ok := folder.Fold(clean); ok {
			return s.cfg.Loaders.Open(found)
		}
	}
	if signedAutoexec(clean) {
		return s.autoexec(at.local)
	}
	return nil, fs.ErrNotExist
}

// cleanTFTPName turns a client's spelling into a relative path of plain names.
func cleanTFTPName(name string) (string, bool) {
	var parts []string
	for p := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
		if p == "" || p == "." {
			continue
		}
		if !safeSegment(p) {
			return "", false
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, "/"), len(parts) > 0
}

// autoexec is the generated script for loaders that look for one.
func (s *tftpServer) autoexec(local netip.Addr) (*File, error) {
	st := site{addr: s.reachedAt(local), httpPort: s.cfg.HTTPPort, httpsPort: s.cfg.HTTPSPort}
	if !st.addr.IsValid() {
		return nil, fs.ErrNotExist
	}
	return textFile(autoexecScript(st)), nil
}

// reachedAt is our address for a client that sent to local.
func (s *tftpServer) reachedAt(local netip.Addr) netip.Addr {
	if s.cfg.Advertise.IsValid() {
		return s.cfg.Advertise
	}
	return unicast(local)
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }
