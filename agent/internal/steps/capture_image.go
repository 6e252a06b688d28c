package steps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"slipway/agent/internal/disk"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

// capturedVariable names what the last Capture image step made.
const capturedVariable = "_CapturedImage"

// beginCapture begins the upload of what a Capture image step makes. kind is the ending
// of its name.
func beginCapture(ctx context.Context, s *Step, kind string) (to Upload, name string, err error) {
	if name = strings.TrimSpace(s.Settings.Text("Name")); name == "" {
		return nil, "", errors.New("a name for the content item is needed (Name)")
	}
	to, err = s.Machine.Content.Upload(ctx, wire.ContentUpload{Key: s.Key, Item: s.Settings.Text("Item"), Name: name,
		Description: s.Settings.Text("Description"), Purpose: tasksequence.PurposeOperatingSystem, File: fileName(name) + "." + kind})
	return to, name, err
}

// endCapture makes a version of what was uploaded.
func endCapture(ctx context.Context, s *Step, to Upload, name string, size int64) error {
	made, err := to.Commit(ctx)
	if err != nil {
		return err
	}
	id := tasksequence.Reference{ID: made.Item, Version: made.Version}.String()
	s.Log("info", fmt.Sprintf("%s is %s, version %d: %s", name, made.Item, made.Version, disk.Bytes(size)))
	return s.Vars.SetSystem(capturedVariable, tasksequence.Value{Text: id})
}

// fileName makes a file's name of what people call an image.
func fileName(name string) string {
	return strings.Trim(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			return c
		}
		return '-'
	}, name), "-")
}
