package steps

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"slipway/agent/internal/disk"
	"slipway/agent/internal/disk/disktest"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// shelf is content whose files are opened, and that takes uploads.
type shelf struct {
	items
	data     map[string][]byte
	uploaded bytes.Buffer
	upload   wire.ContentUpload
	kept     bool
	aborted  bool
}

func (c *shelf) file(f wire.ContentFile, data []byte) {
	if len(c.list) == 0 {
		c.list = []wire.ContentManifest{{Item: "os", Version: 1, Name: "The image"}}
	}
	f.Size = int64(len(data))
	c.list[0].Files = append(c.list[0].Files, f)
	if c.data == nil {
		c.data = map[string][]byte{}
	}
	c.data[f.Path] = data
}

func (c *shelf) Open(_ context.Context, _ tasksequence.Reference, path string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(c.data[path])), nil
}

func gzipped(t *testing.T, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(p)
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func rawStep(t *testing.T, definition string, disks disk.Disks, content Content, vars *tasksequence.Variables, settings map[string]any) *Step {
	t.Helper()
	settings["Image"] = "os:1"
	s, _ := step(t, definition, settings, vars)
	s.Machine.Disks, s.Machine.Content = disks, content
	return s
}

func TestRawImageGoesOntoTheChosenDisk(t *testing.T) {
	image := append(bytes.Repeat([]byte("flex"), 1<<20), make([]byte, 12<<20)...)
	for definition, run := range map[string]Executor{tasksequence.ApplyChromeOSFlex: applyChromeOSFlex, tasksequence.ApplyIGELImage: applyIGELImage} {
		disks, vars, content := twoDisks(t), tasksequence.NewVariables(), &shelf{}
		disks.SetLayout("small", disk.Layout{Format: disk.LayoutFormat, Disk: "small", Table: disk.GPT})
		if err := vars.Set("IsUEFI", tasksequence.Value{Text: "True"}); err != nil {
			t.Fatal(err)
		}
		content.file(wire.ContentFile{Path: "image.bin.gz"}, gzipped(t, image))
		s := rawStep(t, definition, disks, content, vars, map[string]any{"DiskRule": "smallest"})
		var shown []string
		s.Progress = func(percent int, text string) { shown = append(shown, text) }
		if _, err := run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		o, err := disks.Open(t.Context(), "small", disk.OpenOptions{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(image))
		_, err = o.ReadAt(got, 0)
		if err = errors.Join(err, o.Close()); err != nil || !bytes.Equal(got, image) {
			t.Errorf("the disk holds something else, %v", err)
		}
		l, err := disk.ParseLayout(vars.Text(tasksequence.VariableTargetLayout))
		if err != nil || l.Disk != "small" || l.Firmware != disk.UEFI || vars.Text(disk.TargetVariable) != "small" {
			t.Errorf("layout %+v, %v", l, err)
		}
		if !slices.Contains(shown, "writing image.bin.gz") || !slices.Contains(shown, "verifying image.bin.gz") {
			t.Errorf("progress %q", shown)
		}
		if calls := strings.Join(disks.Calls(), ", "); !strings.Contains(calls, "open small, grow small") {
			t.Errorf("calls %s", calls)
		}
	}
}

func TestRawImageRefusals(t *testing.T) {
	small := disk.Disk{ID: "d", Name: "sda", Size: 1 << 20, Bus: disk.BusATA}
	used := small
	used.InUse = "mounted at /x"
	one := func(f wire.ContentFile, n int) *shelf {
		c := &shelf{}
		c.file(f, make([]byte, n))
		return c
	}
	two := one(wire.ContentFile{Path: "a.img"}, 10)
	two.file(wire.ContentFile{Path: "b.img"}, []byte("x"))
	for name, tt := range map[string]struct {
		disk    disk.Disk
		content *shelf
		want    string
	}{
		"too large":     {small, one(wire.ContentFile{Path: "a.img", RawSize: 2 << 20}, 2<<20), "nothing was written"},
		"in use":        {used, one(wire.ContentFile{Path: "a.img"}, 10), "mounted at /x"},
		"two files":     {small, two, "2 files: one is needed"},
		"no files":      {small, &shelf{items: items{list: []wire.ContentManifest{{Item: "os", Version: 1}}}}, "0 files"},
		"not converted": {small, one(wire.ContentFile{Path: "a.qcow2"}, 10), "not converted"},
		"no table":      {small, one(wire.ContentFile{Path: "a.img"}, 1000), "no image of a whole disk"},
	} {
		s := rawStep(t, tasksequence.ApplyIGELImage, disktest.New(t, tt.disk), tt.content, tasksequence.NewVariables(), map[string]any{})
		if _, err := applyIGELImage(t.Context(), s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}
