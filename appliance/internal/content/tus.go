package content

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/tus/tusd/v2/pkg/filestore"
	"github.com/tus/tusd/v2/pkg/handler"
	expslog "golang.org/x/exp/slog"
)

// ownerKey is under which an upload's record names who began it.
const ownerKey = "slipway-owner"

// tusID is what the file store calls uploads.
var tusID = regexp.MustCompile(`^[0-9a-f]{32}$`)

type ownerOf struct{}

// WithOwner names who makes a request to an Uploads handler.
func WithOwner(ctx context.Context, owner string) context.Context {
	return context.WithValue(ctx, ownerOf{}, owner)
}

// Uploads returns a handler of the tus protocol 1.0 (creation, termination) for the
// uploads of people and scripts, which stands below base, e.g. "/api/uploads/". The
// caller has admitted the request and named its owner with WithOwner: nobody reaches
// the uploads of others. What is complete becomes content by Import.
func (s *Service) Uploads(base string) (http.Handler, error) {
	if err := os.MkdirAll(s.tusDir(), 0o700); err != nil && !errors.Is(full(err), ErrFull) {
		return nil, fmt.Errorf("make the folder for uploads: %w", err)
	}
	files := filestore.New(s.tusDir())
	files.DirModePerm, files.FileModePerm = 0o700, 0o600
	store := tusStore{FileStore: files, s: s}
	composer := handler.NewStoreComposer()
	composer.UseCore(store)
	composer.UseTerminater(store)
	s.locker.UseIn(composer)
	h, err := handler.NewHandler(handler.Config{BasePath: base, StoreComposer: composer, MaxSize: s.o.MaxSize, DisableDownload: true, DisableConcatenation: true,
		Cors: &handler.CorsConfig{Disable: true}, Logger: expslog.New(expslog.NewTextHandler(io.Discard, nil)), PreUploadCreateCallback: s.beginTus})
	if err != nil {
		return nil, fmt.Errorf("uploads: %w", err)
	}
	return http.StripPrefix(strings.TrimSuffix(base, "/"), s.ownUploads(h)), nil
}

func (s *Service) tusDir() string { return filepath.Join(s.o.Dir, "tus") }

// ownUploads answers 404 for uploads of others.
func (s *Service) ownUploads(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.Trim(r.URL.Path, "/")
		owner, _ := r.Context().Value(ownerOf{}).(string)
		if id != "" {
			if _, err := s.tusInfo(id, owner); err != nil {
				http.Error(w, "There is no such upload.", http.StatusNotFound)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// tusInfo reads the record of somebody's upload.
func (s *Service) tusInfo(id, owner string) (info handler.FileInfo, err error) {
	unknown := fmt.Errorf("%w: no upload %q", ErrNotFound, id)
	if !tusID.MatchString(id) || owner == "" {
		return info, unknown
	}
	text, err := os.ReadFile(filepath.Join(s.tusDir(), id+".info"))
	if err != nil || json.Unmarshal(text, &info) != nil || info.MetaData[ownerKey] != owner {
		return info, unknown
	}
	stat, err := os.Stat(filepath.Join(s.tusDir(), id))
	if err != nil {
		return info, unknown
	}
	info.Offset = stat.Size()
	return info, nil
}

// beginTus looks whether there is room before the first byte is sent, and writes down
// whose upload it is.
func (s *Service) beginTus(hook handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
	var none handler.HTTPResponse
	owner, _ := hook.Context.Value(ownerOf{}).(string)
	switch {
	case owner == "":
		return none, handler.FileInfoChanges{}, handler.NewError("ERR_OWNER", "nobody is named as the owner", http.StatusForbidden)
	case hook.Upload.SizeIsDeferred:
		return none, handler.FileInfoChanges{}, handler.NewError("ERR_SIZE", "the size must be known from the beginning", http.StatusBadRequest)
	}
	if err := s.blobs.room(hook.Upload.Size); err != nil {
		return none, handler.FileInfoChanges{}, tusError(err)
	}
	meta := handler.MetaData{ownerKey: owner}
	for k, v := range hook.Upload.MetaData {
		if k != ownerKey {
			meta[k] = v
		}
	}
	return none, handler.FileInfoChanges{MetaData: meta}, nil
}

// fromUploads takes in finished uploads of the one who asks.
func (k *intake) fromUploads(ctx context.Context) error {
	var list []source
	total := int64(0)
	for _, u := range k.in.Uploads {
		info, err := k.s.tusInfo(u.ID, k.in.owner)
		if err != nil {
			return err
		}
		if info.Offset != info.Size {
			return invalid("uploads: %s is not complete: %d of %d bytes", u.Path, info.Offset, info.Size)
		}
		path := filepath.Join(k.s.tusDir(), u.ID)
		k.spent = append(k.spent, path, path+".info")
		list = append(list, source{path: path, name: u.Path, mode: 0o644, size: info.Size, own: true})
		total += info.Size
	}
	if len(list) == 1 && k.in.Kind != KindFolder {
		list[0].want = k.in.SHA256
		return k.file(ctx, list[0])
	}
	k.in.Kind = KindFolder
	k.job.stage(stageRead, total)
	for _, f := range list {
		if err := k.plain(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// sweepTus removes uploads that nobody went on with.
func (s *Service) sweepTus() error {
	entries, err := os.ReadDir(s.tusDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries { // the data, the record, or the one that is left of both
		data := filepath.Join(s.tusDir(), strings.TrimSuffix(e.Name(), ".info"))
		info, statErr := os.Stat(data)
		if errors.Is(statErr, fs.ErrNotExist) {
			info, statErr = e.Info()
		}
		if statErr == nil && s.o.Now().Sub(info.ModTime()) <= uploadLife {
			continue
		}
		for _, path := range []string{data, data + ".info"} {
			if e := os.Remove(path); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}
