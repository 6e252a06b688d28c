package steps

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/windows/registry"

	"slipway/agent/internal/windowstarget"
	fakes "slipway/agent/winetest/script"
	"slipway/tasksequence"
)

func TestInstallApplicationOnWindows(t *testing.T) {
	b := newWinBench(t)
	const ps = "powershell -ExecutionPolicy Bypass -NoLogo -NoProfile -NonInteractive -File "
	for _, tt := range []struct {
		name, command string
		files         []string
		call          fakes.Call
	}{
		{"its command", `msiexec /i app.msi TARGETDIR="C:\Program Files\App" /qn`, []string{"app.msi", "install.cmd"}, fakes.Call{Program: "msiexec",
			Args: []string{"/i", "app.msi", `TARGETDIR=C:\Program Files\App`, "/qn"}}},
		{"a package", "", []string{"sub/App.MSI", "readme.txt"}, call(`msiexec /i *\sub\App.MSI /qn /norestart`)},
		{"a patch", "", []string{"app.msp"}, call(`msiexec /p *\app.msp /qn /norestart`)},
		{"an update", "", []string{"windows11-kb1.msu"}, call(`wusa *\windows11-kb1.msu /quiet /norestart`)},
		{"an app", "", []string{"app.msixbundle"}, call(`dism /English /Online /Add-ProvisionedAppxPackage /PackagePath:*\app.msixbundle /SkipLicense`)},
		{"a script", "", []string{"install.ps1", "app.msi"}, call(ps + `*\install.ps1`)},
	} {
		b.items = &items{}
		files := map[string]string{}
		for _, f := range tt.files {
			files[f] = "x"
		}
		b.items.add("app", tt.command, files)
		if out, err := b.run(tasksequence.InstallApplication, map[string]any{"Application": "app:1"}, tt.call); err != nil || out.Restart != nil {
			t.Errorf("%s: %+v, %v\n%s", tt.name, out, err, strings.Join(b.lines, "\n"))
		}
	}
	b.items = &items{}
	b.items.add("app", "", map[string]string{"install.cmd": "@echo done here>%SystemDrive%\\done.txt\r\n@exit /b 0\r\n"})
	b.works(tasksequence.InstallApplication, map[string]any{"Application": "app"})
	if text, err := os.ReadFile(`C:\done.txt`); err != nil || !strings.Contains(string(text), "done here") {
		t.Errorf("install.cmd wrote %q, %v", text, err)
	}
}

func TestWhatInstallersAnswerOnWindows(t *testing.T) {
	b := newWinBench(t)
	b.items.add("app", "msiexec /x", nil)
	for code, want := range map[int]string{0: "", 3010: "The installed application asks for a restart.", 1641: "The installer has begun a restart."} {
		out := b.works(tasksequence.InstallApplication, map[string]any{"Application": "app"}, exits(call("msiexec /x"), code, "said\r\n"))
		got := ""
		if out.Restart != nil {
			got = out.Restart.Message
		}
		if got != want || out.ExitCode != code || out.Restart != nil && (out.Restart.Target != tasksequence.RebootDisk || out.Restart.Again) {
			t.Errorf("%d: %+v", code, out)
		}
		b.logged("info said")
	}
	_, err := b.run(tasksequence.InstallApplication, map[string]any{"Application": "app"}, exits(call("msiexec /x"), 1618, ""))
	b.fails(err, "app: the installer ended with exit code 1618", "another installation is running")
	b.works(tasksequence.InstallApplication, map[string]any{"Application": "app", "SuccessCodes": []int{1618}}, exits(call("msiexec /x"), 1618, ""))
	for files, want := range map[string]string{"a.msi b.msi": "it holds 2 packages", "setup.exe": "no installation command line"} {
		b.items = &items{}
		held := map[string]string{}
		for _, f := range strings.Fields(files) {
			held[f] = "x"
		}
		b.items.add("app", "", held)
		_, err := b.run(tasksequence.InstallApplication, map[string]any{"Application": "app"})
		b.fails(err, want)
	}
}

// An installer that restarts Windows itself does not lose the applications behind it.
func TestInstallMultipleApplicationsOnWindows(t *testing.T) {
	b := newWinBench(t)
	var closed []string
	protect = func(name string) error {
		closed = append(closed, name)
		return windowstarget.Protect(name)
	}
	t.Cleanup(func() { protect = windowstarget.Protect })
	for _, name := range []string{"one", "two", "three"} {
		b.items.add(name, "msiexec /i "+name, map[string]string{"data.bin": name})
	}
	if err := b.vars.SetSystem("Applications", tasksequence.Value{List: []string{"one", "two", "three"}}); err != nil {
		t.Fatal(err)
	}
	out := b.works(tasksequence.InstallMultipleApplications, nil, exits(call("msiexec /i one"), 3010, ""), exits(call("msiexec /i two"), 1641, ""))
	if out.Restart == nil || !out.Restart.Again || out.Restart.Target != tasksequence.RebootDisk {
		t.Fatalf("%+v", out)
	}
	out = b.works(tasksequence.InstallMultipleApplications, nil, call("msiexec /i three"))
	if out.Restart != nil {
		t.Errorf("%+v", out)
	}
	if closed = slices.Compact(closed); !slices.Equal(closed, []string{b.root + `ProgramData\Slipway\tmp\work`}) { // what lies there runs as SYSTEM
		t.Errorf("closed to others: %q", closed)
	}
	b.logged("two was installed before the restart")
	b.key = "another step" // begins anew
	out = b.works(tasksequence.InstallMultipleApplications, nil, call("msiexec /i one"), call("msiexec /i two"), exits(call("msiexec /i three"), 1641, ""))
	if out.Restart == nil || out.Restart.Again {
		t.Errorf("the last one restarts: %+v", out)
	}
	for _, folder := range []string{workFolder, runningFolder} {
		if _, err := os.Stat(b.root + folder); err == nil {
			t.Errorf("the fetched files are left in %s", folder)
		}
	}
}

func updates(install int, output string) fakes.Call {
	c := call(`powershell -ExecutionPolicy Bypass -NoLogo -NoProfile -NonInteractive -File *.ps1 -MicrosoftUpdate 1 -Software 1 -Drivers 0 -Install %d`, install)
	c.InputAt, c.Input, c.Output = 6, "\ufeff"+updateScript, output
	return c
}

func TestUpdatesGoOnOverRestartsOnWindows(t *testing.T) {
	b := newWinBench(t)
	settings := map[string]any{"MicrosoftUpdate": true, "MaxRounds": 3}
	out := b.works(tasksequence.InstallUpdates, settings,
		updates(1, "found: KB1\r\nslipway: left=1 installed=2 failed=1 restart=0\r\n"),
		updates(1, "slipway: left=0 installed=1 failed=0 restart=1\r\n"))
	if out.Restart == nil || !out.Restart.Again || out.Restart.Target != tasksequence.RebootDisk || b.vars.Text(updateRounds) != "2" {
		t.Fatalf("%+v, round %q", out, b.vars.Text(updateRounds))
	}
	b.logged("info found: KB1")
	out = b.works(tasksequence.InstallUpdates, settings, updates(1, "slipway: left=0 installed=0 failed=0 restart=0\r\n"))
	if out.Restart != nil || b.vars.Text(updateRounds) != "" {
		t.Errorf("%+v, round %q", out, b.vars.Text(updateRounds))
	}
}

// A restart that is due is made though nothing was installed; what to look for is said.
func TestUpdatesByTheirSettingsOnWindows(t *testing.T) {
	b := newWinBench(t)
	c := updates(1, "slipway: left=0 installed=0 failed=0 restart=1\r\n")
	c.Args[8], c.Args[10], c.Args[12] = "0", "0", "1"
	out := b.works(tasksequence.InstallUpdates, map[string]any{"MicrosoftUpdate": false, "Updates": false, "Drivers": true}, c)
	if out.Restart == nil || !out.Restart.Again {
		t.Errorf("%+v", out)
	}
}

// The script knows the parameters that it is called with, and what it reports is read.
func TestUpdateScriptAgreesOnWindows(t *testing.T) {
	for _, name := range updates(1, "").Args[6:] {
		if word, ok := strings.CutPrefix(name, "-"); ok && !strings.Contains(updateScript, "[int]$"+word) {
			t.Errorf("the script has no parameter %s", word)
		}
	}
	format := regexp.MustCompile(`Write-Output \("(slipway: [^"]*)" -f \$left, \$installed, \$failed, \[int\]\$restart\)`).FindStringSubmatch(updateScript)
	if format == nil {
		t.Fatal("the script reports in another way")
	}
	line := strings.NewReplacer("{0}", "4", "{1}", "3", "{2}", "2", "{3}", "1").Replace(format[1])
	if got := updateReport.FindStringSubmatch(line); !slices.Equal(got, []string{line, "4", "3", "2", "1"}) {
		t.Errorf("%q is read as %q", line, got)
	}
}

func TestUpdatesThatNeverEndOnWindows(t *testing.T) {
	b := newWinBench(t)
	settings := map[string]any{"MicrosoftUpdate": true, "MaxRounds": 1}
	failing := "slipway: left=1 installed=0 failed=1 restart=0\r\n"
	_, err := b.run(tasksequence.InstallUpdates, settings, updates(1, failing), updates(0, failing))
	b.fails(err, "after 1 rounds")
	b.works(tasksequence.InstallUpdates, settings, updates(1, "slipway: left=0 installed=1 failed=0 restart=0\r\n"), updates(0, "slipway: left=0 installed=0 failed=0 restart=0\r\n"))
	_, err = b.run(tasksequence.InstallUpdates, settings, exits(updates(1, ""), 1, "no service\r\n"))
	b.fails(err, "exit code 1")
	_, err = b.run(tasksequence.InstallUpdates, settings, updates(1, "nothing that counts\r\n"))
	b.fails(err, "without telling what it did")
	_, err = b.run(tasksequence.InstallUpdates, map[string]any{"Updates": false})
	b.fails(err, "neither updates nor drivers")
}

func TestEnableBranchCacheOnWindows(t *testing.T) {
	b := newWinBench(t)
	const ports, age = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\PeerDist\DownloadManager\Peers\Connection`, `SOFTWARE\Microsoft\Windows NT\CurrentVersion\PeerDist\Retrieval`
	const address = "url=http://+:4242/116B50EB-ECE2-41ac-8429-9F9E963361B7/"
	calls := []fakes.Call{
		call("netsh branchcache set service mode=distributed serveonbattery=FALSE"),
		exits(call("netsh http delete urlacl "+address), 1, ""),
		call("netsh http add urlacl " + address + " sddl=D:(A;;GX;;;NS)"),
		exits(call("netsh advfirewall firewall delete rule name=Slipway:_BranchCache"), 1, ""),
		call("netsh advfirewall firewall add rule name=Slipway:_BranchCache dir=in action=allow protocol=TCP localport=4242"),
		exits(call("net stop PeerDistSvc /y"), 2, ""),
		call("net start PeerDistSvc"),
		exits(call("netsh branchcache show status all"), 0, "Service Mode = Distributed Caching\r\n"),
	}
	settings := map[string]any{"BCPort": 4242, "ServeOnBattery": false, "TTL": 30}
	b.works(tasksequence.EnableBranchCache, settings, calls...)
	b.logged("Service Mode = Distributed Caching")
	for name, want := range map[string]uint64{"ListenPort": 4242, "ConnectPort": 4242, "SegmentTTL": 30} {
		path := ports
		if name == "SegmentTTL" {
			path = age
		}
		key, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE|registry.WOW64_64KEY)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := key.GetIntegerValue(name); err != nil || got != want {
			t.Errorf("%s: %d, %v", name, got, err)
		}
		key.Close()
	}
	settings["ServeOnBattery"] = true
	onBattery := slices.Clone(calls)
	onBattery[0] = call("netsh branchcache set service mode=distributed serveonbattery=TRUE")
	b.works(tasksequence.EnableBranchCache, settings, onBattery...)
	settings["ServeOnBattery"] = false
	_, err := b.run(tasksequence.EnableBranchCache, settings, exits(calls[0], 1, "no such service\r\n"))
	b.fails(err, "switch BranchCache on", "exit code 1", "no such service")
}
