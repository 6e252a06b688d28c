package content

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"

	"slipway/agent/wire"
)

// ErrBootFile says that a file of a boot image is not the one that the appliance named.
var ErrBootFile = errors.New("the appliance sends another file than the one it named: build the boot image again")

// BootFile fetches a file of a boot image into the file name, which it makes anew, and
// compares it with its hash; one that is not right is fetched a second time. It is on the
// disk when BootFile returns. progress is told the bytes of each piece.
func (s *Source) BootFile(ctx context.Context, f wire.BootFile, name string, progress func(n int64)) error {
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep %s: %w", f.Name, explain(err))
	}
	for range 2 {
		x := bootFetcher{s: s, f: f, out: out, sum: sha256.New(), patience: s.patience(), progress: progress}
		if err = x.run(ctx); !errors.Is(err, ErrBootFile) {
			break
		}
		progress(-x.done)
		if _, again := out.Seek(0, io.SeekStart); again != nil {
			err = again
			break
		}
	}
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("fetch %s: %w", f.Name, explain(err))
	}
	return nil
}

// bootFetcher is one try.
type bootFetcher struct {
	s        *Source
	f        wire.BootFile
	out      io.Writer
	sum      hash.Hash
	patience *patience
	progress func(n int64)
	done     int64
}

// run goes over as many connections as it takes.
func (x *bootFetcher) run(ctx context.Context) error {
	for x.done < x.f.Size {
		if err := x.take(ctx); err != nil {
			if err := x.patience.wait(ctx, err); err != nil {
				return err
			}
		}
	}
	if hex.EncodeToString(x.sum.Sum(nil)) != x.f.SHA256 {
		return ErrBootFile
	}
	return nil
}

// take copies what one connection gives. nil: it gave something, or all.
func (x *bootFetcher) take(ctx context.Context) error {
	body, err := x.s.get(ctx, x.f.Path, "Range", fmt.Sprintf("bytes=%d-", x.done), "If-Match", `"`+x.f.SHA256+`"`)
	if err != nil {
		return err
	}
	defer body.Close()
	if x.done > 0 && body.status != http.StatusPartialContent {
		return finalError{fmt.Errorf("the appliance answered the whole file (%d) to a request for a part", body.status)}
	}
	buf := make([]byte, 1<<20)
	for x.done < x.f.Size {
		n, err := body.Read(buf[:min(int64(len(buf)), x.f.Size-x.done)])
		if n > 0 {
			if _, err := x.out.Write(buf[:n]); err != nil {
				return finalError{err}
			}
			x.sum.Write(buf[:n])
			x.done += int64(n)
			x.progress(int64(n))
			x.patience.moved()
		}
		if errors.Is(err, io.EOF) && x.done < x.f.Size {
			return io.ErrUnexpectedEOF
		}
		if err != nil && x.done < x.f.Size {
			return err
		}
	}
	return nil
}
