package steps

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

// items are content items, each a set of files.
type items struct {
	list    []wire.ContentManifest
	text    map[string]string // of a file, by "item/path"
	queries []wire.ContentQuery
	upload  *kept
	refuse  error // what writing an upload answers
}

// kept is an upload.
type kept struct {
	asked wire.ContentUpload
	text  []byte
	done  bool
	gone  bool
	fail  error
}

func (k *kept) Write(p []byte) (int, error) {
	if k.fail != nil {
		return 0, k.fail
	}
	k.text = append(k.text, p...)
	return len(p), nil
}

func (k *kept) Commit(context.Context) (wire.ContentVersion, error) {
	k.done = true
	return wire.ContentVersion{Item: "captured", Version: 4}, nil
}

func (k *kept) Abort() { k.gone = true }

func (c *items) add(id, command string, files map[string]string) {
	m := wire.ContentManifest{Item: id, Version: 1, Name: id, Command: command}
	if c.text == nil {
		c.text = map[string]string{}
	}
	for name, text := range files {
		m.Files = append(m.Files, wire.ContentFile{Path: name, Size: int64(len(text))})
		c.text[id+"/"+name] = text
	}
	c.list = append(c.list, m)
}

func (c *items) Manifest(_ context.Context, ref tasksequence.Reference) (wire.ContentManifest, error) {
	for _, m := range c.list {
		if m.Item == ref.ID {
			return m, nil
		}
	}
	return wire.ContentManifest{}, fmt.Errorf("no item %s", ref)
}

func (c *items) Folder(ctx context.Context, ref tasksequence.Reference, dir string, _ func(int64, int64)) error {
	m, err := c.Manifest(ctx, ref)
	for _, f := range m.Files {
		full := filepath.Join(dir, f.Path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, []byte(c.text[m.Item+"/"+f.Path]), 0o644); err != nil {
			return err
		}
	}
	return err
}

func (c *items) Find(_ context.Context, q wire.ContentQuery) ([]wire.ContentVersion, error) {
	c.queries = append(c.queries, q)
	var found []wire.ContentVersion
	for _, m := range c.list {
		found = append(found, wire.ContentVersion{Item: m.Item, Version: m.Version, Name: m.Name})
	}
	return found, nil
}

func (c *items) Open(_ context.Context, ref tasksequence.Reference, path string) (io.ReadCloser, error) {
	text, ok := c.text[ref.ID+"/"+path]
	if !ok {
		return nil, fmt.Errorf("no file %s in %s", path, ref)
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func (c *items) Upload(_ context.Context, u wire.ContentUpload) (Upload, error) {
	c.upload = &kept{asked: u, fail: c.refuse}
	return c.upload, nil
}
