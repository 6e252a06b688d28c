package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"slipway/agent/wire"
	"slipway/appliance/internal/api"
	"slipway/fleet"
)

// showVersion prints the files of a version.
func (a *app) showVersion(ctx context.Context, i api.ContentItem, version int) error {
	var m wire.ContentManifest
	if err := a.call(ctx, "GET", fmt.Sprintf("/content/%s/%d", escape(i.ID), version), nil, &m); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(m)
	}
	rows := [][]string{{"PATH", "SIZE", "MODE", "SHA256", "FORM"}}
	for _, f := range m.Files {
		rows = append(rows, []string{f.Path, fmt.Sprint(f.Size), fmt.Sprintf("%04o", f.Mode), f.SHA256, f.Form})
	}
	return errors.Join(a.table(rows), a.showImages(ctx, i, version))
}

// showImages lists the images of Windows in a version, if it has any.
func (a *app) showImages(ctx context.Context, i api.ContentItem, version int) error {
	var in api.ContentImages
	if err := a.call(ctx, "GET", fmt.Sprintf("/admin/content/%s/versions/%d/images", escape(i.ID), version), nil, &in); err != nil {
		return err
	}
	for _, f := range in.Files {
		if f.Error != "" {
			fmt.Fprintf(a.out, "\n%s cannot be read: %s\n", printable(f.Path), printable(f.Error))
			continue
		}
		fmt.Fprintf(a.out, "\nImages in %s:\n", printable(f.Path))
		rows := [][]string{{"INDEX", "NAME", "WINDOWS", "PROCESSOR", "LANGUAGES"}}
		for _, m := range f.Images {
			rows = append(rows, []string{fmt.Sprint(m.Index), printable(m.Name), cmp.Or(m.Version, "-"), cmp.Or(m.Architecture, "-"), cmp.Or(strings.Join(m.Languages, ", "), "-")})
		}
		if err := a.table(rows); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) contentDelete() *cobra.Command {
	return &cobra.Command{Use: "delete ITEM[:VERSION]", Short: "Delete a version, or an item with all its versions, unless something needs it", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			item, version, err := a.contentReference(c.Context(), args[0])
			if err != nil {
				return err
			}
			path := "/admin/content/" + escape(item.ID)
			if version != 0 {
				path += fmt.Sprintf("/versions/%d", version)
			}
			return a.call(c.Context(), "DELETE", path, nil, nil)
		}}
}

func (a *app) contentExport() *cobra.Command {
	return &cobra.Command{Use: "export ITEM:VERSION FOLDER", Short: "Write the files of a version into a new folder", Args: usage(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			item, version, err := a.contentReference(c.Context(), args[0])
			if err != nil {
				return err
			}
			if version == 0 {
				return usageError{errors.New("name the version as ITEM:VERSION")}
			}
			return a.exportContent(c.Context(), fmt.Sprintf("/content/%s/%d", escape(item.ID), version), args[1])
		}}
}

// exportContent writes files that are whole or not there.
func (a *app) exportContent(ctx context.Context, path, dir string) error {
	var m wire.ContentManifest
	if err := a.call(ctx, "GET", path, nil, &m); err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("%w; nothing was written", err)
	}
	s, err := a.socket()
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		to := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		err := writeWhole("file", to, false, func(out *os.File) error {
			sum := sha256.New()
			if err := s.Download(ctx, "/api/v1"+path+"/"+escapePath(f.Path), func(http.Header, int64) {}, io.MultiWriter(out, sum)); err != nil {
				return err
			}
			if hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
				return fmt.Errorf("%s did not arrive as it is; try again", f.Path)
			}
			return out.Chmod(os.FileMode(f.Mode) & os.ModePerm) //nolint:gosec // checked by Check
		})
		if err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(a.out, "%s, %s, in %s\n", filesText(len(m.Files)), fleet.Bytes(m.Size), dir)
	return err
}

func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
