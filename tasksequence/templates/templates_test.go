package templates

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"slipway/tasksequence"
)

// anyContent has every item, of whatever purpose.
func anyContent(ref tasksequence.Reference, purpose string) (tasksequence.Content, error) {
	return tasksequence.Content{ID: ref.ID, Version: max(ref.Version, 1), Name: ref.ID, Purpose: purpose}, nil
}

// full is the built-in catalogue with a stand-in for each step of a template that is
// not built in yet.
func full(t *testing.T) *tasksequence.Catalogue {
	t.Helper()
	all := tasksequence.Builtin()
	for _, draft := range drafts() {
		visit(draft.Sequence.Steps, "", func(_ string, n *tasksequence.Node) bool {
			if !slices.ContainsFunc(all, func(d tasksequence.Definition) bool { return d.ID == n.Definition }) {
				all = append(all, tasksequence.Definition{ID: n.Definition, Version: 1, Name: n.Definition, Executor: "x",
					Options: []tasksequence.Option{{Name: "Image", Label: "Image", Type: tasksequence.TypeContent, Required: true}}})
			}
			return true
		})
	}
	c, err := tasksequence.NewCatalogue(all...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryTemplateBecomesAValidSequence(t *testing.T) {
	builtin := tasksequence.BuiltinCatalogue()
	for _, catalogue := range []*tasksequence.Catalogue{builtin, full(t)} {
		for _, template := range All(catalogue) {
			content := map[string]string{}
			for _, p := range template.Content {
				content[p.Name] = "some-item"
				if p.Label == "" {
					t.Errorf("%s: a place without a label: %+v", template.ID, p)
				}
			}
			s, err := template.Fill("My own", content)
			if err != nil {
				t.Errorf("%s: %v", template.ID, err)
				continue
			}
			problems := tasksequence.Validate(s, tasksequence.Sources{Catalogue: catalogue, Content: anyContent})
			if len(problems) > 0 || s.Name != "My own" || s.Status != tasksequence.InDevelopment {
				t.Errorf("%s: %s, %s\n%v", template.ID, s.Name, s.Status, problems)
			}
			doc, err := tasksequence.Pin(s, tasksequence.Sources{Catalogue: catalogue, Content: anyContent})
			if err != nil {
				t.Fatal(err)
			}
			plan, err := doc.Plan()
			if err != nil {
				t.Fatal(err)
			}
			foreseen := plan.Foresee(tasksequence.LinuxPE, nil)
			if pe := plan.Foresee(tasksequence.WinPE, nil); len(pe) < len(foreseen) {
				foreseen = pe
			}
			if catalogue == builtin && len(foreseen) > 0 {
				t.Errorf("%s: %v", template.ID, foreseen)
			}
		}
	}
	if n := len(All(full(t))); n != len(drafts()) {
		t.Errorf("%d templates of %d", n, len(drafts()))
	}
}

func TestPlacesMustBeFilled(t *testing.T) {
	template, err := Find(full(t), "linux-bare-metal")
	if err != nil {
		t.Fatal(err)
	}
	_, err = template.Fill("", map[string]string{"nowhere.Image": "x"})
	var problems tasksequence.Problems
	if !errors.As(err, &problems) || len(problems) != len(template.Content)+1 || !strings.Contains(problems[0].Remedy, "=ID") {
		t.Errorf("got %v", err)
	}
	before := len(template.Sequence.Steps[0].Steps[1].Settings)
	content := map[string]string{}
	for _, p := range template.Content {
		content[p.Name] = "x"
	}
	if _, err := template.Fill("", content); err != nil || len(template.Sequence.Steps[0].Steps[1].Settings) != before {
		t.Errorf("filling changed the template, or failed: %v", err)
	}
	if _, err := Find(full(t), "solaris"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "wipe-disk") {
		t.Errorf("got %v", err)
	}
}

// The templates for Windows are offered as soon as their steps are there, and begin in
// both boot images unless they take Windows from the cloud or capture it.
func TestTemplatesForWindows(t *testing.T) {
	builtin := tasksequence.BuiltinCatalogue()
	for id, fromCloud := range map[string]bool{"windows-bare-metal": false, "windows-refresh": false, "windows-bare-metal-from-cloud": true, "windows-build-and-capture": false,
		"autopilot-from-cloud": true, "autopilot-pre-provisioning": false} {
		template, err := Find(builtin, id)
		if _, there := builtin.Find("apply-operating-system-from-cloud", 0); fromCloud && !there {
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if strings.HasPrefix(id, "autopilot") && template.Sequence.Variables["FinishAction"].Text != "reseal" {
			t.Errorf("%s does not reseal", id)
		}
		content := map[string]string{}
		for _, p := range template.Content {
			content[p.Name] = "some-item"
		}
		s, err := template.Fill("", content)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := tasksequence.Pin(s, tasksequence.Sources{Catalogue: builtin, Content: anyContent})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := doc.Plan()
		if err != nil {
			t.Fatal(err)
		}
		if problems := plan.Foresee(tasksequence.WinPE, nil); len(problems) > 0 {
			t.Errorf("%s in Windows PE: %v", id, problems)
		}
		if problems := plan.Foresee(tasksequence.LinuxPE, nil); !fromCloud && id != "windows-build-and-capture" && len(problems) > 0 {
			t.Errorf("%s in the Linux boot image: %v", id, problems)
		}
	}
}

// The template for a refresh begins in the present Windows as well, and gets from there to
// a Windows PE on the disk.
func TestARefreshBeginsInThePresentWindows(t *testing.T) {
	template, err := Find(tasksequence.BuiltinCatalogue(), "windows-refresh")
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, p := range template.Content {
		content[p.Name] = "some-item"
	}
	s, err := template.Fill("", content)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := tasksequence.Pin(s, tasksequence.Sources{Catalogue: tasksequence.BuiltinCatalogue(), Content: anyContent})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := doc.Plan()
	if err != nil {
		t.Fatal(err)
	}
	if problems := plan.ForeseeOn(tasksequence.FullOS, tasksequence.Windows, nil); len(problems) > 0 || !plan.Stages() {
		t.Errorf("%v, Windows PE is put onto the disk: %t", problems, plan.Stages())
	}
}
