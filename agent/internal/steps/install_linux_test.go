package steps

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/tasksequence"
)

func TestInstallApplicationByWhatItHolds(t *testing.T) {
	for _, tt := range []struct {
		name, command, want string
		files               []string
		programs            []string
	}{
		{"its command", "./setup --quiet", "/bin/sh -c ./setup --quiet", []string{"a.deb", "install.sh"}, []string{"/bin/sh"}},
		{"a script", "", "/bin/sh ./install.sh", []string{"a.deb", "install.sh"}, []string{"/bin/sh"}},
		{"a package", "", "apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold FOLDER/a.deb", []string{"a.deb"}, []string{"apt-get", "dpkg"}},
		{"without apt", "", "dpkg --install --force-confold FOLDER/a.deb", []string{"a.deb"}, []string{"dpkg"}},
		{"rpm", "", "rpm --upgrade --verbose --replacepkgs FOLDER/a.rpm", []string{"a.rpm"}, []string{"rpm"}},
	} {
		b := newBench(t, tt.programs...)
		files := map[string]string{}
		for _, f := range tt.files {
			files[f] = "x"
		}
		b.items.add("app", tt.command, files)
		if _, err := b.run(tasksequence.InstallApplication, map[string]any{"Application": "app:1"}); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		folder := b.vars.Text(tasksequence.ContentVariable("Application"))
		b.want(tt.name, strings.ReplaceAll(strings.Join(b.exec.ran, ", "), folder, "FOLDER"), tt.want)
	}
}

func TestInstallApplicationFailures(t *testing.T) {
	b := newBench(t, "/bin/sh")
	b.items.add("app", "", map[string]string{"readme.txt": "x"})
	_, err := b.run(tasksequence.InstallApplication, map[string]any{"Application": "app"})
	b.fails(err, "neither a .deb or .rpm package nor an install.sh")

	b = newBench(t)
	b.items.add("app", "", map[string]string{"a.rpm": "x"})
	_, err = b.run(tasksequence.InstallApplication, map[string]any{"Application": "app"})
	b.fails(err, "no program that installs .rpm packages")

	b = newBench(t, "/bin/sh")
	b.items.add("app", "exit 7", nil)
	b.exec.codes["/bin/sh"] = 7
	out, err := b.run(tasksequence.InstallApplication, map[string]any{"Application": "app"})
	b.fails(err, "exit code 7")
	b.want("code", fmt.Sprint(out.ExitCode), "7")
	if _, err = b.run(tasksequence.InstallApplication, map[string]any{"Application": "app", "SuccessCodes": []int{7}}); err != nil {
		t.Error(err)
	}
}

func TestAnInstallerMayAskForARestart(t *testing.T) {
	b := newBench(t, "/bin/sh")
	b.items.add("app", "setup", nil)
	b.exec.codes["/bin/sh"] = 3010
	out, err := b.run(tasksequence.InstallApplication, map[string]any{"Application": "app"})
	if err != nil || out.Restart == nil || out.Restart.Target != "disk" || out.Restart.Again {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestInstallMultipleApplications(t *testing.T) {
	b := newBench(t, "/bin/sh")
	if _, err := b.run(tasksequence.InstallMultipleApplications, map[string]any{}); err != nil || len(b.items.queries) > 0 {
		t.Errorf("without a list: %v, asked %v", err, b.items.queries)
	}
	b.items.add("one", "first", map[string]string{"f": "x"})
	b.items.add("two", "second", nil)
	if err := b.vars.SetSystem("Applications", tasksequence.Value{List: []string{"one", " two ", ""}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(tasksequence.InstallMultipleApplications, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	b.want("asked", fmt.Sprint(b.items.queries), "[{[one two] application <nil>}]")
	b.want("programs", strings.Join(b.exec.ran, ", "), "/bin/sh -c first, /bin/sh -c second")
	if _, err := os.Stat(filepath.Join(b.root, fetchDir)); err == nil {
		t.Error("the fetched files are left")
	}
}

func TestUpdatesGoOnUntilNoneIsLeft(t *testing.T) {
	b := newBench(t, "apt-get")
	b.exec.output["--simulate"] = []string{"3 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.", "0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded."}
	b.put("run/reboot-required", "")
	out, err := b.run(tasksequence.InstallUpdates, map[string]any{})
	if err != nil || out.Restart == nil || !out.Restart.Again || out.Restart.Target != "disk" {
		t.Fatalf("%+v, %v", out, err)
	}
	b.want("round", b.vars.Text(updateRounds), "1")
	if err := os.Remove(filepath.Join(b.root, "run/reboot-required")); err != nil {
		t.Fatal(err)
	}
	if out, err := b.run(tasksequence.InstallUpdates, map[string]any{}); err != nil || out.Restart != nil {
		t.Errorf("after the restart: %+v, %v", out, err)
	}
	upgrades := 0
	for _, line := range b.exec.ran {
		if strings.HasSuffix(line, "--yes dist-upgrade") {
			upgrades++
		}
	}
	b.want("upgrades", fmt.Sprint(upgrades), "1")
	b.want("rounds of the next step", b.vars.Text(updateRounds), "")
}

// What is only newly installed counts, and either mark of Debian asks for a restart.
func TestUpdatesThatAreNewlyInstalled(t *testing.T) {
	b := newBench(t, "apt-get")
	b.exec.output["--simulate"] = []string{"0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded."}
	b.put("var/run/reboot-required", "")
	out, err := b.run(tasksequence.InstallUpdates, map[string]any{})
	if err != nil || out.Restart == nil || !out.Restart.Again {
		t.Errorf("%+v, %v", out, err)
	}
	const apt = "apt-get -q -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold "
	b.want("programs", strings.Join(b.exec.ran, ", "), apt+"update, "+apt+"--simulate dist-upgrade, "+apt+"--yes dist-upgrade")
}

// dnf says by its exit code whether updates are left.
func TestUpdatesByDNF(t *testing.T) {
	b := newBench(t, "dnf")
	b.exec.codes["dnf -q check-update --refresh"] = 100
	_, err := b.run(tasksequence.InstallUpdates, map[string]any{"MaxRounds": 1})
	b.fails(err, "after 1 rounds")
	b.want("programs", strings.Join(b.exec.ran, ", "), "dnf -q check-update --refresh, dnf --assumeyes upgrade, dnf -q check-update --refresh")
	delete(b.exec.codes, "dnf -q check-update --refresh")
	if out, err := b.run(tasksequence.InstallUpdates, map[string]any{}); err != nil || out.Restart != nil {
		t.Errorf("%+v, %v", out, err)
	}
	b.exec.codes["dnf -q check-update --refresh"] = 1
	_, err = b.run(tasksequence.InstallUpdates, map[string]any{})
	b.fails(err, "count the updates: dnf ended with exit code 1")
}

func TestUpdatesThatNeverEnd(t *testing.T) {
	b := newBench(t, "apt-get")
	b.exec.output["--simulate"] = []string{"3 upgraded, 1 newly installed, 0 to remove and 0 not upgraded."}
	_, err := b.run(tasksequence.InstallUpdates, map[string]any{"MaxRounds": 2})
	b.fails(err, "after 2 rounds")
	_, err = b.run(tasksequence.InstallUpdates, map[string]any{"MaxRounds": 1}) // tried again
	b.fails(err, "after 1 rounds")
	b = newBench(t)
	_, err = b.run(tasksequence.InstallUpdates, map[string]any{})
	b.fails(err, "neither apt nor dnf")
	b = newBench(t, "apt-get")
	b.exec.codes["apt-get"] = 100
	_, err = b.run(tasksequence.InstallUpdates, map[string]any{})
	b.fails(err, "ask for updates")
	for codes, want := range map[string]string{"--simulate dist-upgrade": "count the updates: apt-get ended with exit code 100", "--yes dist-upgrade": "it ended with exit code 100", "": "did not say how many there are"} {
		b = newBench(t, "apt-get")
		b.exec.output["--simulate"] = []string{"1 upgraded, 0 newly installed, 0 to remove and 0 not upgraded."}
		if codes == "" {
			b.exec.output["--simulate"] = []string{"Reading package lists..."}
		}
		b.exec.codes["apt-get -q -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold "+codes] = 100
		_, err = b.run(tasksequence.InstallUpdates, map[string]any{"MaxRounds": 1})
		b.fails(err, want)
	}
}

func TestInjectDriverPack(t *testing.T) {
	b := newBench(t, "dpkg", "depmod", "update-initramfs")
	b.items.add("pack", "", map[string]string{"model/lib/firmware/rtl_nic/a.fw": "fw", "firmware/b.bin": "fw2",
		"lib/modules/6.1.0-1/updates/x.ko": "ko", "tools/c.deb": "deb", "readme.txt": ""})
	if _, err := b.run(tasksequence.InjectDriverPack, map[string]any{"DriverPack": "pack"}); err != nil {
		t.Fatal(err)
	}
	b.want("files", b.file("lib/firmware/rtl_nic/a.fw")+b.file("lib/firmware/b.bin")+b.file("lib/modules/6.1.0-1/updates/x.ko"), "fwfw2ko")
	b.want("programs", strings.ReplaceAll(strings.Join(b.exec.ran, ", "), b.root, ""),
		"dpkg --install --force-confold /var/cache/slipway/pack/tools/c.deb, depmod -a 6.1.0-1, update-initramfs -u -k all")

	b = newBench(t)
	b.items.add("pack", "", map[string]string{"driver.inf": "", "driver.sys": ""})
	_, err := b.run(tasksequence.InjectDriverPack, map[string]any{"DriverPack": "pack"})
	b.fails(err, "nothing for Linux")
}

func TestInjectDriversAsksForTheModel(t *testing.T) {
	b := newBench(t)
	b.set("Make", "LENOVO")
	b.set("MakeAlias", "Lenovo")
	b.set("Model", "20XW004")
	b.set("ModelAlias", "20XW")
	if _, err := b.run(tasksequence.InjectDrivers, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	q := b.items.queries[0]
	b.want("asked", fmt.Sprint(q.Purpose, *q.Drivers), "driverpack{LENOVO Lenovo 20XW004 20XW }")
	b.want("log", strings.Join(*b.lines, ""), "info there is no driver pack for LENOVO 20XW004")
}

func TestRunPowerShellScript(t *testing.T) {
	b := newBench(t, "pwsh")
	if _, err := b.run(tasksequence.RunPowerShellScript, map[string]any{"Script": "Write-Output 1", "Parameters": `-Name "two words" ''`}); err != nil {
		t.Fatal(err)
	}
	got := b.exec.ran[0]
	if !strings.HasPrefix(got, "pwsh -NoLogo -NoProfile -NonInteractive -File ") || !strings.HasSuffix(got, "-Name two words ") {
		t.Errorf("%q", got)
	}
	b.items.add("scripts", "", map[string]string{"sub/x.ps1": "1"})
	if _, err := b.run(tasksequence.RunPowerShellScript, map[string]any{"Content": "scripts", "ScriptName": `..\..\sub\x.ps1`}); err != nil {
		t.Fatal(err)
	}
	if folder := b.vars.Text(tasksequence.ContentVariable("Content")); !strings.HasSuffix(b.exec.ran[1], "-File "+folder+"/sub/x.ps1") {
		t.Errorf("%q is not below %s", b.exec.ran[1], folder)
	}
	_, err := b.run(tasksequence.RunPowerShellScript, map[string]any{"Script": "1", "Parameters": `"open`})
	b.fails(err, "not closed")
	b = newBench(t)
	_, err = b.run(tasksequence.RunPowerShellScript, map[string]any{"Script": "1"})
	b.fails(err, "pwsh")
}
