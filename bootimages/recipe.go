package bootimages

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// recipe is linux/recipe.json with the lists it names.
type recipe struct {
	Format        int                 `json:"format"`
	KernelPackage map[string]string   `json:"kernelPackage"`
	Copy          []copyRule          `json:"copy"`
	OneFile       map[string]stubRule `json:"oneFile"` // by architecture
	Profiles      map[string][]string `json:"profiles"`
	LeaveOut      []string            `json:"leaveOut"`

	modules []wanted
	applets []string
	tools   *toolRules // nil: none
	sums    []string   // one resolved input line for each file read
}

// copyRule copies one file out of a package: the first path of From that exists.
type copyRule struct {
	Package string   `json:"package"`
	From    []string `json:"from"`
	To      string   `json:"to"`
	Mode    string   `json:"mode"`
}

// stubRule names the program that a one-file image begins with.
type stubRule struct {
	Package string   `json:"package"`
	From    []string `json:"from"`
}

// wanted is a module the profile names; optional ones may be unknown to a kernel.
type wanted struct {
	name     string
	optional bool
}

func loadRecipe(files fs.FS, arch, profile string) (*recipe, error) {
	r := &recipe{}
	if err := r.readJSON(files, "linux/recipe.json", r); err != nil {
		return nil, err
	}
	if r.Format != 1 {
		return nil, fmt.Errorf("linux/recipe.json: unknown format %d", r.Format)
	}
	if r.KernelPackage[arch] == "" {
		return nil, fmt.Errorf("%w: the recipe names no kernel package for %s", ErrOption, arch)
	}
	lists, ok := r.Profiles[profile]
	if !ok {
		return nil, fmt.Errorf("%w: profile %q: the recipe has %s", ErrOption, profile, strings.Join(sortedKeys(r.Profiles), ", "))
	}
	for _, l := range lists {
		lines, err := r.readList(files, "linux/modules/"+l+".list")
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			name, optional := strings.CutPrefix(line, "?")
			r.modules = append(r.modules, wanted{name, optional})
		}
	}
	if err := r.readTools(files); err != nil {
		return nil, err
	}
	var err error
	r.applets, err = r.readList(files, "linux/applets.list")
	return r, err
}

func (r *recipe) readJSON(files fs.FS, name string, into any) error {
	b, err := r.read(files, name)
	if err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r *recipe) readList(files fs.FS, name string) ([]string, error) {
	b, err := r.read(files, name)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out, nil
}

func (r *recipe) read(files fs.FS, name string) ([]byte, error) {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	sum := sha256.Sum256(b)
	r.sums = append(r.sums, "recipe "+name+" sha256:"+hex.EncodeToString(sum[:]))
	return b, nil
}

// leftOut reports whether a path of the kernel package is not even looked at.
func (r *recipe) leftOut(p string) bool {
	return slices.ContainsFunc(r.LeaveOut, func(prefix string) bool { return strings.HasPrefix(p, prefix) })
}

// packages lists what the recipe copies from, each once, in the recipe's order.
func (r *recipe) packages() []string {
	var out []string
	for _, c := range r.Copy {
		if !slices.Contains(out, c.Package) {
			out = append(out, c.Package)
		}
	}
	return out
}

func (c copyRule) perm() (uint32, error) {
	m, err := strconv.ParseUint(c.Mode, 8, 32)
	if err != nil || m > 0o777 || path.Clean(c.To) != c.To || path.IsAbs(c.To) {
		return 0, fmt.Errorf("recipe: bad copy rule for %q", c.To)
	}
	return uint32(m), nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
