package bootimages

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ReportName is the file of a Windows PE image that says what is in it.
const ReportName = "report.json"

// reportFormat grows when a reader of the old form would go wrong.
const reportFormat = 1

// WinPEReport says what a Windows PE image is made of and what it can do.
type WinPEReport struct {
	Format       int              `json:"format"`
	Source       string           `json:"source"` // name of the file
	SHA256       string           `json:"sha256"` // of the WIM
	Index        int              `json:"index"`
	Why          string           `json:"why"` // this index
	Name         string           `json:"name"`
	Version      string           `json:"version"` // of Windows
	Languages    []string         `json:"languages"`
	Architecture string           `json:"architecture"`
	Components   []WinPEComponent `json:"components"`
	Notes        []string         `json:"notes"`

	// What was added, for people.
	Drivers   []string `json:"drivers,omitempty"` // the .inf files that are loaded at start
	Hooks     []string `json:"hooks,omitempty"`   // moment/program
	Roots     []string `json:"roots,omitempty"`   // names of the root certificates
	Overlay   int      `json:"overlay,omitempty"` // files
	Wallpaper bool     `json:"wallpaper,omitempty"`
}

// WinPEComponent is an optional component of Windows PE.
type WinPEComponent struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Package string `json:"package"` // in the ADK
	Present bool   `json:"present"`
}

// component says how a component is recognised: by its package's record, or by a
// file that only it brings.
type component struct {
	id, name, pkg string
	files         []string
}

// components are the optional components that steps may need, each after those that
// must be added before it (Microsoft: "WinPE: Add packages").
var components = []component{
	{"wmi", "WMI", "WinPE-WMI", []string{"/Windows/System32/wbem/WMIsvc.dll", "/Windows/System32/wbem/WmiPrvSE.exe"}},
	{"netfx", ".NET Framework", "WinPE-NetFx", []string{"/Windows/Microsoft.NET/Framework64/v4.0.30319/clr.dll", "/Windows/Microsoft.NET/FrameworkArm64/v4.0.30319/clr.dll"}},
	{"scripting", "Windows Script Host", "WinPE-Scripting", []string{"/Windows/System32/cscript.exe"}},
	{"powershell", "PowerShell", "WinPE-PowerShell", []string{"/Windows/System32/WindowsPowerShell/v1.0/powershell.exe"}},
	{"hta", "HTML applications", "WinPE-HTA", []string{"/Windows/System32/mshta.exe"}},
	{"dism-cmdlets", "DISM cmdlets", "WinPE-DismCmdlets", []string{"/Windows/System32/WindowsPowerShell/v1.0/Modules/Dism/Dism.psd1"}},
	{"storage-cmdlets", "storage cmdlets", "WinPE-StorageWMI", []string{"/Windows/System32/WindowsPowerShell/v1.0/Modules/Storage/Storage.psd1"}},
	{"secure-startup", "BitLocker and TPM tools", "WinPE-SecureStartup", []string{"/Windows/System32/manage-bde.exe"}},
}

// report looks for the components.
func (s *winSource) report() WinPEReport {
	r := WinPEReport{Format: reportFormat, Source: s.name, SHA256: s.sum, Index: s.image.Index, Why: s.why, Name: s.image.Name,
		Version: s.image.Version, Languages: append([]string{}, s.image.Languages...), Architecture: s.image.Architecture, Notes: []string{}}
	for _, c := range components {
		r.Components = append(r.Components, WinPEComponent{ID: c.id, Name: c.name, Package: c.pkg, Present: s.hasComponent(c)})
	}
	return r
}

// tell says what was added.
func (in *winInputs) tell(r *WinPEReport) {
	r.Drivers, r.Overlay, r.Wallpaper = in.infs, len(in.overlay), in.wallpaper != nil
	for _, moment := range sortedKeys(in.run) {
		r.Hooks = append(r.Hooks, in.run[moment]...)
	}
	for _, der := range in.roots {
		if c, err := x509.ParseCertificate(der); err == nil { // it was read before
			r.Roots = append(r.Roots, c.Subject.String())
		}
	}
}

func (s *winSource) hasComponent(c component) bool {
	if slices.ContainsFunc(c.files, s.has) {
		return true
	}
	// "WinPE-WMI-Package~31bf3856ad364e35~amd64~~10.0.26100.1.mum"
	record := strings.ToLower("/Windows/servicing/Packages/" + c.pkg + "-Package~")
	return slices.ContainsFunc(s.paths, func(p string) bool { return strings.HasPrefix(strings.ToLower(p), record) })
}

// Has reports whether a component is in the image.
func (r WinPEReport) Has(id string) bool {
	return slices.ContainsFunc(r.Components, func(c WinPEComponent) bool { return c.ID == id && c.Present })
}

// Missing lists the components that are not in the image.
func (r WinPEReport) Missing() (out []WinPEComponent) {
	for _, c := range r.Components {
		if !c.Present {
			out = append(out, c)
		}
	}
	return out
}

// ReadReport reads the report in a Windows PE image's folder.
func ReadReport(dir string) (WinPEReport, error) {
	var r WinPEReport
	raw, err := os.ReadFile(filepath.Join(dir, ReportName))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("%s: %w", ReportName, err)
	}
	if r.Format != reportFormat {
		return r, fmt.Errorf("%s has format %d, this program knows %d", ReportName, r.Format, reportFormat)
	}
	return r, nil
}

// Report reads the report of a Windows PE image.
func (b *Builder) Report(id string) (WinPEReport, error) {
	if !ValidID(id) {
		return WinPEReport{}, fmt.Errorf("%w: image id %q", ErrOption, id)
	}
	r, err := ReadReport(filepath.Join(b.BootDir(), id))
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: image %s is not a Windows PE image", ErrOption, id)
	}
	return r, err
}

// Script is a command file for a Windows machine with the ADK and its Windows PE
// add-on: it adds the components that are missing to a copy of the image.
func (r WinPEReport) Script() string {
	folder := map[string]string{X64: "amd64", ARM64: "arm64"}[r.Architecture]
	lines := []string{
		"@echo off",
		"rem Adds what " + commandText(r.Source) + " (image " + fmt.Sprint(r.Index) + ") lacks to a copy of it. Run it once as administrator, on a Windows",
		"rem machine that has the Windows ADK and its Windows PE add-on of the same version (" + commandText(r.Version) + "), with the WIM as argument:",
		"rem     add-components.cmd C:\\copy\\boot.wim",
		"rem Then build again: slipway image build winpe --source boot.wim --index " + fmt.Sprint(r.Index),
		"setlocal",
		`if "%~1"=="" (echo Give the path of a copy of the WIM & exit /b 2)`,
		`if not defined WinPERoot set "WinPERoot=%ProgramFiles(x86)%\Windows Kits\10\Assessment and Deployment Kit\Windows Preinstallation Environment"`,
		`set "OCS=%WinPERoot%\` + folder + `\WinPE_OCs"`,
		`if not exist "%OCS%\WinPE-WMI.cab" (echo The Windows PE add-on of the ADK was not found in "%OCS%" & exit /b 1)`,
		`set "MOUNT=%TEMP%\slipway-winpe"`,
		`md "%MOUNT%" || exit /b 1`,
		fmt.Sprintf(`dism /Mount-Image /ImageFile:"%%~1" /Index:%d /MountDir:"%%MOUNT%%" || exit /b 1`, r.Index),
	}
	missing := r.Missing()
	for _, c := range missing {
		lines = append(lines, `call :add `+c.Package+` || goto failed`)
	}
	lines = append(lines,
		`dism /Unmount-Image /MountDir:"%MOUNT%" /Commit || exit /b 1`,
		`rd "%MOUNT%"`,
		`echo Done. Take the WIM to the appliance and build again.`,
		`exit /b 0`,
		`:add`,
		`dism /Image:"%MOUNT%" /Add-Package /PackagePath:"%OCS%\%1.cab" || exit /b 1`,
		`if exist "%OCS%\`+r.language()+`\%1_`+r.language()+`.cab" dism /Image:"%MOUNT%" /Add-Package /PackagePath:"%OCS%\`+r.language()+`\%1_`+r.language()+`.cab" || exit /b 1`,
		`exit /b 0`,
		`:failed`,
		`dism /Unmount-Image /MountDir:"%MOUNT%" /Discard`,
		`rd "%MOUNT%"`,
		`exit /b 1`)
	if len(missing) == 0 {
		return "@echo off\r\necho Nothing is missing in " + commandText(r.Source) + ".\r\n"
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

// commandText keeps of a text what means nothing to cmd.exe.
func commandText(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune(" ._-", c) {
			return c
		}
		return '_'
	}, s)
}

// language is the first of the image's, which its components need texts in.
func (r WinPEReport) language() string {
	for _, l := range r.Languages {
		if wordPattern.MatchString(l) {
			return strings.ToLower(l)
		}
	}
	return "en-us"
}

// lines are the report for a build's log.
func (r WinPEReport) lines() []string {
	var has, lacks []string
	for _, c := range r.Components {
		if c.Present {
			has = append(has, c.Name)
		} else {
			lacks = append(lacks, c.Name)
		}
	}
	out := []string{"it can do: " + orNone(has)}
	if len(lacks) > 0 {
		out = append(out, "it lacks: "+orNone(lacks)+" (slipway image report --script prints how to add them)")
	}
	return append(out, r.Notes...)
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "nothing beyond the base"
	}
	return strings.Join(list, ", ")
}
