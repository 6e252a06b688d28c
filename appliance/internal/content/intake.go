package content

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Import asks for a new version, of the item of that name or of a new one. Exactly
// one of Path, URL and Uploads says where the bytes are.
type Import struct {
	Name         string // of the item, or its id
	Description  string // of a new item
	Purpose      string // of a new item; of one that exists it must be the same, or empty
	Tags         []string
	Manufacturer string
	Models       []string

	Command string // an application's installation command line
	Status  string // default active
	Kind    string // file or folder; default: what the source is

	Path    string // file or folder on the appliance's disk
	URL     string
	SHA256  string // of what URL gives, hex; empty: not checked
	Digest  string // or another one: "sha256:", "sha1:" or "md5:" and hex
	Size    int64  // that it must have; 0: not checked
	Uploads []Uploaded

	Unpack       bool // what URL gives is an archive: the version holds its files
	AsIs         bool // nothing is converted
	KeepOriginal bool // a disk image is kept beside its converted form

	key      string  // of a device's upload
	captured *source // its file
	owner    string  // of the uploads
}

// Uploaded is a finished upload and what the file is called in the version.
type Uploaded struct {
	ID   string
	Path string
}

// The kinds of versions.
const (
	KindFile   = "file"
	KindFolder = "folder"
)

// Import begins an import and returns its job.
func (s *Service) Import(_ context.Context, by Actor, in Import) (Job, error) {
	in.owner = by.Name
	in, err := s.checkImport(in)
	if err != nil {
		return Job{}, err
	}
	return s.start(kindImport, in.Name, by, func(ctx context.Context, r *running) error {
		v, err := s.take(ctx, by, in, r)
		if err != nil {
			s.sweep(context.WithoutCancel(ctx))
			return err
		}
		r.mu.Lock()
		r.job.Version = &v
		r.mu.Unlock()
		return nil
	})
}

// checkImport refuses early what could not be recorded at the end.
func (s *Service) checkImport(in Import) (Import, error) {
	status, err := ParseStatus(cmp.Or(in.Status, fleet.ContentActive))
	if err != nil {
		return in, err
	}
	in.Status = status
	if n := min(len(in.Path), 1) + min(len(in.URL), 1) + min(len(in.Uploads), 1); n != 1 {
		return in, invalid("exactly one of path, url and uploads must be given")
	}
	if in.Command != "" {
		if err := checkText("command", in.Command, maxText); err != nil {
			return in, err
		}
	}
	if in.SHA256 != "" && !blobName.MatchString(in.SHA256) {
		return in, invalid("sha256: %.80q is not a hash of 64 hex digits in lower case", in.SHA256)
	}
	if in.Kind != "" && in.Kind != KindFile && in.Kind != KindFolder {
		return in, invalid("kind: %q is unknown; use file or folder", in.Kind)
	}
	if in.URL != "" {
		if _, err := parseURL(in.URL); err != nil {
			return in, err
		}
	}
	for _, u := range in.Uploads {
		if err := wire.CheckContentPath(u.Path); err != nil {
			return in, invalid("uploads: %v", err)
		}
	}
	err = s.o.Store.View(func(tx *state.Tx) error {
		item, err := s.itemFor(tx, in)
		if err == nil && in.Command != "" && item.Purpose != tasksequence.PurposeApplication {
			err = invalid("command: only an application has an installation command line")
		}
		return err
	})
	return in, err
}

// itemFor returns the item that gets the version: the one of that name, or a new one.
func (s *Service) itemFor(tx *state.Tx, in Import) (fleet.ContentItem, error) {
	now := s.o.Now()
	item, err := itemIn(tx, in.Name)
	if err == nil {
		if in.Purpose != "" && in.Purpose != item.Purpose {
			return item, invalid("purpose: the item %q has the purpose %s, not %s", item.Name, item.Purpose, in.Purpose)
		}
		if in.Manufacturer != "" {
			item.Manufacturer = in.Manufacturer
		}
		if len(in.Models) > 0 {
			item.Models = in.Models
		}
		item.UpdatedAt = now
		return item, checkItem(item)
	}
	if !errors.Is(err, ErrNotFound) {
		return item, err
	}
	if in.Purpose == "" {
		return item, invalid("purpose: a new item needs one of %s", strings.Join(tasksequence.Purposes(), ", "))
	}
	item = fleet.ContentItem{ID: s.o.NewID(), Name: in.Name, Description: in.Description, Purpose: in.Purpose, Tags: in.Tags,
		Manufacturer: in.Manufacturer, Models: in.Models, CreatedAt: now, UpdatedAt: now}
	return item, checkItem(item)
}

// intake is one import at work.
type intake struct {
	s     *Service
	in    Import
	job   *running
	hold  *hold
	files []manifestFile
	notes []string
	own   []string // files that are removed at the end
	spent []string // files that are removed when all went well
}

// take makes the version.
func (s *Service) take(ctx context.Context, by Actor, in Import, r *running) (fleet.ContentVersion, error) {
	k := &intake{s: s, in: in, job: r, hold: s.blobs.hold()}
	defer k.hold.release()
	defer k.clean()
	source, err := k.gather(ctx)
	if err != nil {
		return fleet.ContentVersion{}, err
	}
	slices.SortFunc(k.files, func(a, b manifestFile) int { return cmp.Compare(a.Path, b.Path) })
	m := manifest{Files: k.files}
	hash, err := s.blobs.putManifest(ctx, m, k.hold)
	if err != nil {
		return fleet.ContentVersion{}, err
	}
	v := fleet.ContentVersion{Status: in.Status, Kind: cmp.Or(k.in.Kind, KindFile), Command: in.Command, Manifest: hash, Files: len(m.Files), Size: m.size(),
		Source: source, Notes: strings.Join(k.notes, "\n"), Key: in.key, CreatedAt: s.o.Now(), CreatedBy: by.Name}
	v, err = s.record(ctx, by, in, v)
	if err == nil {
		k.own = append(k.own, k.spent...)
	}
	return v, err
}

func (k *intake) clean() {
	for _, path := range k.own {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			k.s.o.Logger.Warn("a temporary file was not removed", "error", err)
		}
	}
}

// record gives the version its number.
func (s *Service) record(ctx context.Context, by Actor, in Import, v fleet.ContentVersion) (fleet.ContentVersion, error) {
	var item fleet.ContentItem
	made := false
	err := s.o.Store.Update(ctx, func(tx *state.Tx) (err error) {
		made = false
		for old := range tx.ContentVersions().ByKey(in.key) {
			v = old
			item, err = tx.ContentItems().Get(old.Item)
			return err
		}
		if item, err = s.itemFor(tx, in); err != nil {
			return err
		}
		v.Item, v.Version = item.ID, 1
		for old := range tx.ContentVersions().ByItem(item.ID) {
			v.Version = max(v.Version, old.Version+1)
		}
		made = true
		return errors.Join(putItem(tx, item), tx.ContentVersions().Put(v))
	})
	if err == nil && made {
		s.audit(ctx, by, "content.added", v.Reference(), fmt.Sprintf("%s (%s)", item.Name, item.Purpose))
	}
	return v, err
}

// gather brings the files into blobs and says where they came from.
func (k *intake) gather(ctx context.Context) (source string, err error) {
	switch {
	case k.in.captured != nil:
		return "captured by a device", k.file(ctx, *k.in.captured)
	case k.in.Path != "":
		return k.in.Path, k.fromPath(ctx)
	case k.in.URL != "":
		return k.in.URL, k.fromURL(ctx)
	}
	return "upload", k.fromUploads(ctx)
}

// fromPath takes a file or a folder of this machine.
func (k *intake) fromPath(ctx context.Context) error {
	info, err := os.Stat(k.in.Path)
	if err != nil {
		return invalid("path: %v", err)
	}
	switch {
	case info.Mode().IsRegular():
		k.in.Kind = cmp.Or(k.in.Kind, KindFile)
		return k.file(ctx, source{path: k.in.Path, name: filepath.Base(k.in.Path), mode: info.Mode(), size: info.Size()})
	case info.IsDir():
		k.in.Kind = KindFolder
		return k.folder(ctx)
	}
	return invalid("path: %s is neither a file nor a folder", k.in.Path)
}

func (k *intake) folder(ctx context.Context) error {
	var list []source
	total := int64(0)
	err := filepath.WalkDir(k.in.Path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(k.in.Path, p)
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return invalid("path: %s is a %s; a folder may hold files and folders only (pack it as tar.gz to keep links)", rel, kindOf(d.Type()))
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if err := wire.CheckContentPath(name); err != nil {
			return invalid("path: %v", err)
		}
		if len(list) >= wire.MaxContentFiles {
			return invalid("path: the folder has more than %d files", wire.MaxContentFiles)
		}
		list = append(list, source{path: p, name: name, mode: info.Mode(), size: info.Size()})
		total += info.Size()
		return ctx.Err()
	})
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		return invalid("path: the folder %s holds no file", k.in.Path)
	}
	if err := k.s.blobs.room(0); err != nil {
		return err
	}
	k.job.stage(stageRead, total)
	for _, f := range list {
		if err := k.plain(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

// source is a file that is taken in. One of our own folder is moved instead of copied.
type source struct {
	path string
	name string // in the version
	mode fs.FileMode
	size int64
	own  bool
	want string // hash it must have; empty: any
}

// file takes in the one file of a version, converted where that helps.
func (k *intake) file(ctx context.Context, f source) error {
	if err := wire.CheckContentPath(f.name); err != nil {
		return invalid("%v", err)
	}
	c, err := k.converter(f)
	if err != nil {
		return err
	}
	if c != nil {
		if err := k.hashed(ctx, f); err != nil {
			return err
		}
		keep, err := c(ctx, f)
		if err != nil {
			return err
		}
		if !keep {
			if f.own {
				k.spent = append(k.spent, f.path)
			}
			return nil
		}
	}
	k.job.stage(stageRead, f.size)
	return k.plain(ctx, f)
}

// plain takes in a file as it is.
func (k *intake) plain(ctx context.Context, f source) (err error) {
	var got sum
	if f.own {
		got, err = k.s.blobs.adopt(ctx, f, k.hold, k.job.add)
	} else {
		got, err = k.copyIn(ctx, f)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path.Base(f.name), err)
	}
	k.files = append(k.files, manifestFile{Path: f.name, Mode: int(f.mode.Perm()), Size: got.Size, SHA256: got.SHA256, Chunks: got.Chunks})
	return nil
}

func (k *intake) copyIn(ctx context.Context, f source) (sum, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return sum{}, invalid("%v", err)
	}
	defer file.Close()
	return k.s.blobs.write(ctx, file, k.s.o.MaxSize, k.hold, k.job.add)
}
