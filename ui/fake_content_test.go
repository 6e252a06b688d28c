package ui

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway/fleet"
)

type fakeContent struct{ *fake }

// fakeUpload is an upload as tus knows it.
type fakeUpload struct {
	owner  string
	length int
	data   []byte
}

func (f fakeContent) List(context.Context) ([]ContentItem, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.content), nil
}

func (f fakeContent) find(id string) int {
	return slices.IndexFunc(f.content, func(i ContentItem) bool { return i.ID == id || i.Name == id })
}

func (f fakeContent) Get(_ context.Context, id string) (ContentItem, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := f.find(id); i >= 0 {
		return f.content[i], nil
	}
	return ContentItem{}, ErrNotFound
}

func (f fakeContent) Files(_ context.Context, id string, _ int) ([]ContentFile, error) {
	sum := sha256.Sum256([]byte("x"))
	if id == "win11" {
		return []ContentFile{{Path: "sources/install.wim", Size: 5_400_000_000, SHA256: hex.EncodeToString(sum[:])}}, nil
	}
	return []ContentFile{{Path: "rootfs.tar.zst", Size: 812_000_000, SHA256: hex.EncodeToString(sum[:])}}, nil
}

func (f fakeContent) Add(_ context.Context, by Actor, a AddContent) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.added = a
	i := f.find(a.Name)
	switch {
	case i < 0 && a.Purpose == "":
		return "", &FieldError{Field: "purpose", Detail: "a new item needs one"}
	case i < 0:
		f.content = append(f.content, ContentItem{ContentItem: fleet.ContentItem{ID: rand.Text(), Name: a.Name, Purpose: a.Purpose, Tags: a.Tags, CreatedAt: f.now(), UpdatedAt: f.now()}})
		i = len(f.content) - 1
	}
	size := int64(0)
	for _, u := range a.Uploads {
		have := f.uploads[u.ID]
		if have == nil || have.owner != by.Name || len(have.data) != have.length {
			return "", &Refused{Reason: "The upload is not complete."}
		}
		size += int64(len(have.data))
	}
	item := &f.content[i]
	v := fleet.ContentVersion{Item: item.ID, Version: len(item.Versions) + 1, Status: a.Status, Files: len(a.Uploads), Size: size, CreatedAt: f.now(), CreatedBy: by.Name, Manifest: strings.Repeat("ab", 32)}
	item.Versions = slices.Insert(item.Versions, 0, v)
	f.note(by, "content.added", item.ID, "ok")
	job := ContentJob{ID: rand.Text(), Kind: "import", Name: item.Name, State: "done", Item: item.ID, StartedAt: f.now()}
	f.jobs = append(f.jobs, job)
	return job.ID, nil
}

func (f fakeContent) Jobs(context.Context) ([]ContentJob, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.jobs), nil
}

func (f fakeContent) edit(by Actor, id, action string, fn func(*ContentItem) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(id)
	if i < 0 {
		return ErrNotFound
	}
	if err := fn(&f.content[i]); err != nil {
		return err
	}
	f.note(by, action, id, "ok")
	return nil
}

func (f fakeContent) Change(_ context.Context, by Actor, id string, c ContentChange) error {
	return f.edit(by, id, "content.changed", func(i *ContentItem) error {
		if c.Name == "" {
			return &FieldError{Field: "name", Detail: "the name is missing"}
		}
		i.Name, i.Description, i.Tags, i.Models = c.Name, c.Description, c.Tags, c.Models
		return nil
	})
}

func (f fakeContent) SetStatus(_ context.Context, by Actor, id string, version int, status string) error {
	return f.edit(by, id, "content.status", func(i *ContentItem) error {
		for n := range i.Versions {
			if i.Versions[n].Version == version {
				i.Versions[n].Status = status
				return nil
			}
		}
		return ErrNotFound
	})
}

func (f fakeContent) Delete(_ context.Context, by Actor, id string, version int) error {
	return f.edit(by, id, "content.deleted", func(i *ContentItem) error {
		if i.Name == "Debian 12" {
			return &Refused{Reason: `"Debian 12" is needed by the task sequence "Office PC", version 3.`}
		}
		i.Versions = slices.DeleteFunc(i.Versions, func(v fleet.ContentVersion) bool { return version == 0 || v.Version == version })
		return nil
	})
}

func (f fakeContent) ServeUpload(w http.ResponseWriter, r *http.Request, account string) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Tus-Resumable", "1.0.0")
	if r.Method == http.MethodPost {
		length, err := strconv.Atoi(r.Header.Get("Upload-Length"))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		id := strings.ToLower(rand.Text())
		f.uploads[id] = &fakeUpload{owner: account, length: length}
		w.Header().Set("Location", "https://"+r.Host+UploadsPath+"/"+id)
		w.WriteHeader(http.StatusCreated)
		return
	}
	u := f.uploads[path.Base(r.URL.Path)]
	offset, _ := strconv.Atoi(r.Header.Get("Upload-Offset"))
	switch {
	case u == nil || u.owner != account:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPatch && offset != len(u.data):
		w.WriteHeader(http.StatusConflict)
	default:
		if r.Method == http.MethodPatch {
			f.pieces++
			if f.pieces == f.breakAt { // the connection breaks in the middle of a piece
				u.data = append(u.data, body[:len(body)/2]...)
				f.down = f.staysDown
				if f.onBreak != nil {
					f.onBreak()
				}
				panic(http.ErrAbortHandler)
			}
			u.data = append(u.data, body...)
		}
		w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
		w.WriteHeader(http.StatusNoContent)
	}
}

func sampleContent(now time.Time) []ContentItem {
	version := func(item string, n int, status string, size int64) fleet.ContentVersion {
		return fleet.ContentVersion{Item: item, Version: n, Status: status, Kind: "file", Files: 1, Size: size, Manifest: strings.Repeat("3f", 32), CreatedAt: now.Add(-time.Hour), CreatedBy: "anna", Source: "rootfs.tar.zst"}
	}
	return []ContentItem{
		{fleet.ContentItem{ID: "c0001", Name: "Debian 12", Description: "Root file system for office PCs", Purpose: "operatingsystem", Tags: []string{"linux", "office"}, CreatedAt: now, UpdatedAt: now.Add(-time.Hour)},
			[]fleet.ContentVersion{version("c0001", 2, fleet.ContentActive, 812_000_000), version("c0001", 1, fleet.ContentDeprecated, 790_000_000)}},
		{fleet.ContentItem{ID: "c0002", Name: "OptiPlex 7010", Purpose: "driverpack", Manufacturer: "Dell", Models: []string{"OptiPlex 7010", "OptiPlex Micro 7010"}, CreatedAt: now, UpdatedAt: now.Add(-30 * time.Hour)},
			[]fleet.ContentVersion{version("c0002", 1, fleet.ContentInDevelopment, 41_000_000)}},
	}
}
