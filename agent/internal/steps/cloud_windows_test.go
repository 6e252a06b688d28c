package steps

import (
	"errors"
	"os"
	"strings"
	"testing"

	fakes "slipway/agent/winetest/script"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

func TestInjectDriversFromCloudOnWindows(t *testing.T) {
	b := newWinBench(t)
	b.items.add("pack", "", map[string]string{"net/e1.inf": "x"})
	x := &Clouds{Answers: []wire.CloudAnswer{{Detail: "The appliance fetches it: Downloading", Percent: 50, Wait: 1}, {Content: []wire.ContentVersion{{Item: "pack", Version: 3, Name: "Latitude pack"}}}}}
	b.cloud = x
	for name, text := range map[string]string{"Make": "Dell Inc.", "MakeAlias": "Dell", "Model": "Latitude 5440", "ModelAlias": "Latitude 5440", "SystemAlias": "0C1A"} {
		b.set(name, text)
	}
	out := b.works(tasksequence.InjectDriversFromCloud, map[string]any{"Version": "24H2"}, exits(call(`pnputil /add-driver %sProgramData\Slipway\tmp\work\pack\*.inf /subdirs /install`, b.root), 3010, ""))
	want := wire.DriverQuery{Make: "Dell Inc.", MakeAlias: "Dell", Model: "Latitude 5440", ModelAlias: "Latitude 5440", SystemAlias: "0C1A"}
	if out.Restart == nil || len(x.Asked) != 2 || x.Asked[0].OS != "Windows 11" || x.Asked[0].Version != "24H2" || x.Asked[0].Architecture != "x64" || *x.Asked[0].Drivers != want {
		t.Errorf("%+v, asked %+v", out, x.Asked)
	}
	b.logged("info The appliance fetches it: Downloading")

	b.works(tasksequence.InjectDriversFromCloud, nil) // none for this model
	b.logged("the catalogues have no driver pack for Dell Inc. Latitude 5440")
	x.Err = errors.New("no catalogue")
	_, err := b.run(tasksequence.InjectDriversFromCloud, nil)
	b.fails(err, "have it fetched", "no catalogue")
}

func TestApplyOperatingSystemFromCloudOnWindows(t *testing.T) {
	b := newWinBench(t)
	b.inWinPE()
	b.items.add("win", "", map[string]string{"26100_de-de.esd": "ESD"})
	answer := wire.CloudAnswer{Image: "Windows 11 Pro", Content: []wire.ContentVersion{{Item: "win", Version: 1}}}
	x := &Clouds{Answers: []wire.CloudAnswer{answer}}
	b.cloud = x
	b.set("ComputerName", "PC-1")
	b.set("UILanguage", "de-DE")
	folder := b.root + `slipway\image`
	apply := fakes.Call{Program: "dism", Args: []string{"/English", "/Apply-Image", `/ImageFile:` + folder + `\image.esd`, "/Name:Windows 11 Pro", "/ApplyDir:" + b.root, `/ScratchDir:` + folder + `\scratch`}}
	boot := call(`bcdboot %sWindows /s %s /f UEFI`, b.root, strings.TrimSuffix(b.disks.(oneTarget).roots[3], `\`))
	b.works(tasksequence.ApplyOperatingSystemFromCloud, map[string]any{"Version": "24H2"}, apply, boot)
	if len(x.Asked) != 1 || x.Asked[0] != (wire.CloudQuery{OS: "Windows 11", Version: "24H2", Edition: "Professional", Architecture: "x64", LanguageCode: "de-DE"}) {
		t.Errorf("asked %+v", x.Asked)
	}
	if text, err := os.ReadFile(b.root + answerFile); err != nil || !strings.Contains(string(text), "<ComputerName>PC-1</ComputerName>") {
		t.Errorf("%v: %s", err, text)
	}
	answer.Image, answer.ImageIndex = "", 6
	x.Answers = []wire.CloudAnswer{answer}
	apply.Args[3] = "/Index:6"
	b.works(tasksequence.ApplyOperatingSystemFromCloud, nil, apply, boot)
}
