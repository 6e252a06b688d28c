package content

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"slipway/agent/wire"
)

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
