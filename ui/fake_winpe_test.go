package ui

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"slices"
	"strings"

	"slipway/fleet"
)

type fakeWindows struct{ *fake }

func (f fakeWindows) Build(_ context.Context, by Actor, b WinPEBuild) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.Source == "gone" {
		return "", ErrNotFound
	}
	if b.Index > 2 {
		return "", &Refused{Reason: "The source has no image 7, the last is 2."}
	}
	f.winBuild = b
	x := fleet.ImageBuild{ID: rand.Text()[:8], Kind: "winpe", State: "running", Stage: "taking source from the content", StartedAt: f.now()}
	f.builds = slices.Insert(f.builds, 0, x)
	f.note(by, "image.build", "winpe", "ok")
	f.tell(Change{Kind: ChangeBuild, ID: x.ID})
	return x.ID, nil
}

func (fakeWindows) Sources(context.Context) ([]SourceFile, error) {
	return []SourceFile{{"Win11_25H2_English_x64.iso", 7_700_000_000}}, nil
}

func (f fakeWindows) Report(_ context.Context, id string) (WinPEReport, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.ContainsFunc(f.images, func(m fleet.BootImage) bool { return m.ID == id && m.Kind == "winpe" }) {
		return WinPEReport{}, ErrNotFound
	}
	return WinPEReport{Source: "Win11_25H2_English_x64.iso", Name: "Microsoft Windows PE (amd64)", Version: "10.0.26200.1", Architecture: "x64", Index: 1,
		Why: "its name says that it is plain Windows PE", Languages: []string{"en-US"},
		Components: []Component{{"WMI", "WinPE-WMI", true}, {".NET Framework", "WinPE-NetFx", false}, {"PowerShell", "WinPE-PowerShell", false}},
		Drivers:    []string{"intel/e1d.inf", "intel/e2f.inf", "realtek/rtcx21x64.inf"}, Hooks: []string{"after-network/10-drives.cmd"},
		Roots: []string{"CN=Contoso Root CA"}, Notes: []string{"the source has no PowerShell"}, Overlay: 4, Script: "@echo off\r\n"}, nil
}

func (f fakeWindows) Wimboot(context.Context) (Wimboot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wimboot, nil
}

func (f fakeWindows) AddWimboot(_ context.Context, by Actor, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(b, []byte("MZ")) {
		return &FieldError{Field: "wimboot", Detail: "This is not wimboot."}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wimboot = Wimboot{Present: true, Version: "v2.8.0", SHA256: strings.Repeat("5a", 32), BIOS: true}
	f.note(by, "wimboot.added", "v2.8.0", "ok")
	return nil
}

func (f fakeWindows) RemoveWimboot(_ context.Context, by Actor) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wimboot = Wimboot{}
	f.note(by, "wimboot.removed", "", "ok")
	return nil
}

func (fakeWindows) Images(_ context.Context, _ string, version int) ([]WindowsFile, error) {
	return []WindowsFile{{Path: "sources/install.wim", Images: []WindowsImage{
		{Index: 1, Name: "Windows 11 Home", Description: "Windows 11 Home", Architecture: "x64", Version: "10.0.26200.1", Languages: []string{"en-US"}},
		{Index: 6, Name: "Windows 11 Pro", Description: "For business", Architecture: "x64", Version: "10.0.26200.1", Languages: []string{"en-US", "de-DE"}}}}}, nil
}
