package clientcert

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway/appliance/internal/durable"
)

// cacheFormat is the format of the files that keep fetched lists: a line of JSON,
// then the bytes as the server sent them. A file of another format is fetched anew.
const cacheFormat = 1

// kept is what is known of a fetched list beside its bytes.
type kept struct {
	Format   int       `json:"format"`
	URL      string    `json:"url"`
	ETag     string    `json:"etag,omitempty"`
	Modified string    `json:"modified,omitempty"` // Last-Modified, as the server sent it
	Fetched  time.Time `json:"fetched"`            // or found unchanged
	SHA256   string    `json:"sha256"`
}

const (
	maxList   = 16 << 20 // bytes of a fetched list
	maxHeader = 16 << 10 // bytes of the line before it
	cacheEnd  = ".crl"
)

// cachePath is the file for a URL.
func cachePath(dir, url string) string {
	sum := sha256.Sum256([]byte(url))
	return filepath.Join(dir, hex.EncodeToString(sum[:12])+cacheEnd)
}

// writeCache puts a list in place in one step.
func writeCache(dir string, k kept, body []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the revocation list: %w", err)
	}
	sum := sha256.Sum256(body)
	k.Format, k.SHA256 = cacheFormat, hex.EncodeToString(sum[:])
	header, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("keep the revocation list: %w", err)
	}
	if err := durable.Replace(cachePath(dir, k.URL), ".fetched-*", append(append(header, '\n'), body...)); err != nil {
		return fmt.Errorf("keep the revocation list: %w", err)
	}
	return nil
}

// readCache reads the list of a URL. os.ErrNotExist when there is none.
func readCache(dir, url string) (kept, []byte, error) {
	f, err := os.Open(cachePath(dir, url))
	if err != nil {
		return kept{}, nil, fmt.Errorf("read the kept revocation list: %w", err)
	}
	defer f.Close()
	k, body, err := decodeCache(f)
	if err == nil && k.URL != url {
		err = errors.New("it is of another address")
	}
	if err != nil {
		return kept{}, nil, fmt.Errorf("read the kept revocation list %s: %w", f.Name(), err)
	}
	return k, body, nil
}

func decodeCache(r io.Reader) (k kept, body []byte, err error) {
	in := bufio.NewReaderSize(r, maxHeader)
	header, err := in.ReadSlice('\n')
	if err != nil {
		return k, nil, errors.New("its first line is missing or too long")
	}
	if err := json.Unmarshal(header, &k); err != nil {
		return k, nil, fmt.Errorf("its first line is not understood: %w", err)
	}
	if k.Format != cacheFormat {
		return k, nil, fmt.Errorf("it has format %d, this version knows %d", k.Format, cacheFormat)
	}
	if body, err = io.ReadAll(io.LimitReader(in, maxList+1)); err != nil {
		return k, nil, err
	}
	sum := sha256.Sum256(body)
	if want, err := hex.DecodeString(k.SHA256); err != nil || len(body) > maxList || !bytes.Equal(want, sum[:]) {
		return k, nil, errors.New("it is damaged")
	}
	return k, body, nil
}

// cleanCache removes what is kept for other URLs than the one in force.
func cleanCache(dir, url string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for old revocation lists: %w", err)
	}
	keep := ""
	if url != "" {
		keep = filepath.Base(cachePath(dir, url))
	}
	var errs []error
	for _, f := range files {
		name := f.Name()
		if name != keep && strings.HasSuffix(name, cacheEnd) {
			errs = append(errs, os.Remove(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}
