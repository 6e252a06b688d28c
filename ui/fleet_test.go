package ui

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"slipway/fleet"
	"slipway/tasksequence"
)

// furnish fills the fake with a small fleet as an administrator would see it on
// an ordinary day.
func (f *fake) furnish() {
	now := f.now()
	f.checks = []Check{
		{Name: "proxyDHCP", State: CheckOK, Text: "Answering on eth0 (192.0.2.5), ports 67 and 4011."},
		{Name: "TFTP", State: CheckOK, Text: "Port 69, no transfer waiting."},
		{Name: "HTTP boot", State: CheckOK, Text: "Port 8080."},
		{Name: "Disk", State: CheckWarning, Text: "3.1 GB free of 40 GB.", Next: "Remove old boot images or give the data folder more room."},
		{Name: "Certificate", State: CheckOK, Text: "Renews by itself, valid until 2027-02-19."},
	}
	f.sequences = sampleSequences(now)
	f.content = sampleContent(now)
	f.furnishSecurity(now)
	f.images = []fleet.BootImage{
		{ID: "9f3ac81e77b04d52a6c09e1f5d2b7a40", Kind: "linux", Architecture: "x64", Size: 41_300_000, KernelRelease: "6.1.0-49-amd64", ModuleCount: 187,
			AgentVersion: "0.1.0", Protocol: 1, Served: true, BuiltAt: now.Add(-3 * time.Hour), Files: []fleet.ImageFile{
				{Name: "vmlinuz", Size: 8_200_000, SHA256: "5b1c0e8b2a7f4f1f9f0c2f9f4ad2c1a0e1a5b8e7d6c5f4a3b2c1d0e9f8a7b6c5"},
				{Name: "initrd.img", Size: 33_100_000, SHA256: "c2f9f4ad2c1a0e1a5b8e7d6c5f4a3b2c1d0e9f8a7b6c55b1c0e8b2a7f4f1f9f0"}}},
		{ID: "17d2e0aa41c94f7b8e3350c1a9d4f612", Kind: "linux", Architecture: "x64", Size: 41_200_000, KernelRelease: "6.1.0-48-amd64", ModuleCount: 187,
			AgentVersion: "0.1.0", Protocol: 1, BuiltAt: now.Add(-80 * time.Hour)},
	}
	f.builds = []fleet.ImageBuild{{ID: "b1", Kind: "linux", State: "done", Percent: 100, Stage: "Served as 9f3ac81e77b0", ImageID: f.images[0].ID,
		StartedAt: now.Add(-3*time.Hour - 4*time.Minute), EndedAt: now.Add(-3 * time.Hour), Log: []string{"kernel 6.1.0-49-amd64", "187 modules", "initrd 33.1 MB"}}}
	f.furnishDevices(now)
	f.furnishAudit(now)
}

func sampleSequences(now time.Time) []fleet.Sequence {
	sample := tasksequence.Sequence{Format: 1, ID: "hello", Version: 1, Status: "active", Name: "Hello from Slipway",
		Description: "Shows facts about this machine. Nothing is changed.",
		Variables:   map[string]tasksequence.Value{"Greeting": {Text: "Hello from Slipway"}, "LocalPassword": {Text: "hunter2-plain"}},
		Steps: []tasksequence.Node{
			{ID: "greet", Name: "Say hello", Definition: "run-command-line", DefinitionVersion: 1, Settings: settings("Command", `echo "%Greeting%"; uname -srm`)},
			{ID: "machine", Name: "About this machine", ContinueOnError: true, Steps: []tasksequence.Node{
				{ID: "model", Name: "Show the model", Definition: "run-command-line", DefinitionVersion: 1, Settings: settings("Command", "cat /sys/class/dmi/id/product_name")},
				{ID: "memory", Name: "Show the memory", Definition: "run-command-line", DefinitionVersion: 1, Settings: settings("Command", "free -m"), Retries: 2},
				{ID: "disks", Name: "Show the disks", Definition: "run-command-line", DefinitionVersion: 1, Settings: settings("Command", "cat /proc/partitions"),
					Condition: &tasksequence.Condition{Variable: "DiskCount", Operator: tasksequence.Greater, Operand: tasksequence.Value{Text: "0"}}},
			}},
			{ID: "secret", Name: "Set the local password", Definition: "set-variable", DefinitionVersion: 1,
				Settings: map[string]json.RawMessage{"VariableName": text("Pass"), "VariableValue": text("hunter2-plain"), "Secret": json.RawMessage("true")}},
			{ID: "goodbye", Name: "Say goodbye", Definition: "run-command-line", DefinitionVersion: 1, Settings: settings("Command", "echo done"), Environments: []string{"linuxpe"}},
		}}
	body, err := json.Marshal(sample)
	if err != nil {
		panic(err)
	}
	return []fleet.Sequence{
		{ID: "hello", Version: 1, Name: sample.Name, Description: sample.Description, Status: "active", Body: body, UpdatedAt: now.Add(-50 * time.Hour)},
		{ID: "office", Version: 4, Name: "Office PC", Description: "Disk, system, drivers, applications", Architecture: "x64", Status: "development", Body: body, UpdatedAt: now.Add(-2 * time.Hour)},
		{ID: "office", Version: 3, Name: "Office PC", Description: "Disk, system, drivers, applications", Architecture: "x64", Status: "active", Body: body, UpdatedAt: now.Add(-90 * time.Hour)},
	}
}

func text(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

func settings(name, value string) map[string]json.RawMessage {
	return map[string]json.RawMessage{name: text(value)}
}

func (f *fake) furnishDevices(now time.Time) {
	r := rand.New(rand.NewPCG(7, 7)) // fixed: the pictures of two runs are the same
	models := [][2]string{{"Dell Inc.", "OptiPlex 7010"}, {"LENOVO", "ThinkPad T14 Gen 4"}, {"HP", "EliteDesk 800 G6"}, {"QEMU", "Standard PC (Q35 + ICH9, 2009)"}}
	firmware := []string{"bios", "uefi", "uefi-http"}
	for i := range 23 {
		m := models[i%len(models)]
		id := fmt.Sprintf("d%04d", i+1)
		d := fleet.Device{ID: id, Name: fmt.Sprintf("PC-%04d", 40+i), Serial: fmt.Sprintf("5CG%05d", r.IntN(99999)), Manufacturer: m[0], Model: m[1],
			UUID: fmt.Sprintf("4c4c4544-0034-3010-8052-%012x", r.Int64N(1<<47)), MACs: []string{fmt.Sprintf("52:54:00:ab:%02x:%02x", i, r.IntN(256))},
			Architecture: "x64", Firmware: firmware[i%3], Address: fmt.Sprintf("192.0.2.%d", 20+i), FirstSeen: now.Add(-time.Duration(200+i) * time.Hour),
			LastSeen: now.Add(-time.Duration(i*i*3) * time.Minute), Boot: fleet.BootPolicy{Always: fleet.BootImageTarget}, ImageID: f.images[0].ID}
		if i%6 == 5 {
			d.Name, d.Boot.Always = "", fleet.BootDisk
		}
		if i%5 == 1 {
			d.Sequence, d.ImageID = "office", f.images[1].ID
		}
		f.devices[id] = d
	}
	d := f.devices["d0001"]
	d.Facts = map[string]string{"Memory": "16384 MB", "Processor": "Intel(R) Core(TM) i5-12500T", "SecureBoot": "true", "TPM": "2.0", "Disks": "nvme0n1 512 GB"}
	d.Notes = []string{"Another device with this serial number is known (PC-0051). If they are the same machine, merge them."}
	d.Boot.Next = fleet.BootDisk
	f.devices["d0001"] = d
	f.addDeployment("run1", "d0001", fleet.DeploymentRunning, now.Add(-4*time.Minute), 3)
	f.addDeployment("run2", "d0002", fleet.DeploymentRunning, now.Add(-95*time.Second), 1)
	f.addDeployment("bad1", "d0003", fleet.DeploymentFailed, now.Add(-70*time.Minute), 3)
	f.addDeployment("ok1", "d0001", fleet.DeploymentSucceeded, now.Add(-26*time.Hour), 6)
	for i := range 12 {
		id := fmt.Sprintf("d%04d", 4+i)
		status := fleet.DeploymentSucceeded
		if i == 5 {
			status = fleet.DeploymentCancelled
		}
		f.addDeployment(fmt.Sprintf("old%d", i), id, status, now.Add(-time.Duration(30+i*7)*time.Hour), 6)
	}
}

var stepPaths = []struct{ path, name string }{{"greet", "Say hello"}, {"machine/model", "Show the model"}, {"machine/memory", "Show the memory"},
	{"machine/disks", "Show the disks"}, {"secret", "Set the local password"}, {"goodbye", "Say goodbye"}}

// addDeployment makes a deployment that has come to step n, counted from 1.
func (f *fake) addDeployment(id, device string, status fleet.DeploymentStatus, started time.Time, n int) {
	dev := f.devices[device]
	name := dev.Name
	if name == "" {
		name = dev.Serial
	}
	at := stepPaths[n-1]
	d := fleet.Deployment{ID: id, DeviceID: device, DeviceName: name, SequenceID: "hello", SequenceVersion: 1, SequenceName: "Hello from Slipway",
		Status: status, Environment: "linuxpe", Actor: "passcode", Address: dev.Address, ImageID: dev.ImageID, StepCount: len(stepPaths),
		CurrentStep: at.path, CurrentName: at.name, StepNumber: n, StartedAt: started, UpdatedAt: f.now().Add(-4 * time.Second)}
	doc, err := json.Marshal(map[string]any{"format": 1, "sequence": json.RawMessage(f.sequences[0].Body)})
	if err != nil {
		panic(err)
	}
	f.documents[id] = doc
	var results []fleet.StepResult
	for i := range n {
		s := stepPaths[i]
		begin := started.Add(time.Duration(i*7) * time.Second)
		r := fleet.StepResult{DeploymentID: id, Path: s.path, Name: s.name, Number: i + 1, Status: "succeeded", StartedAt: begin, EndedAt: begin.Add(time.Duration(900+i*1700) * time.Millisecond)}
		if s.path == "machine/disks" {
			r.Status, r.Message = "skipped", `DiskCount greater "0" is not met: DiskCount is "0"`
		}
		results = append(results, r)
	}
	last := &results[n-1]
	switch status {
	case fleet.DeploymentRunning:
		last.Status, last.EndedAt = "running", time.Time{}
		f.progress[id] = fleet.Progress{DeploymentID: id, Path: at.path, Percent: 41, Text: "3.1 of 7.6 GB", At: f.now()}
	case fleet.DeploymentFailed:
		last.Status, last.ExitCode, last.Message = "failed", 127, "free: command not found"
		d.Message = "Step 3, Show the memory: free: command not found (exit code 127)"
		d.EndedAt, d.UpdatedAt = started.Add(50*time.Second), started.Add(50*time.Second)
	default:
		d.EndedAt, d.UpdatedAt = started.Add(64*time.Second), started.Add(64*time.Second)
	}
	f.results[id], f.deployments[id] = results, d
	f.lines[id] = sampleLog(started, status == fleet.DeploymentFailed)
}

func sampleLog(start time.Time, failed bool) []fleet.LogLine {
	texts := []string{"Hello from Slipway", "Linux 6.1.0-49-amd64 x86_64", "step Say hello: exit code 0", "sys_vendor: Dell Inc.", "product_name: OptiPlex 7010",
		"step Show the model: exit code 0", "               total        used        free      shared  buff/cache   available", "Mem:           15874         412       15120          11         341       15206"}
	var out []fleet.LogLine
	for i := range 40 {
		level := "info"
		t := texts[i%len(texts)]
		switch {
		case i%17 == 9:
			level, t = "warn", "clock differs from the appliance's by 2.4 s; set"
		case i%11 == 4:
			level, t = "debug", "GET /api/v1/deployments/run1 200"
		case failed && i == 39:
			level, t = "error", "sh: free: command not found"
		}
		out = append(out, fleet.LogLine{Number: int64(i + 1), Time: start.Add(time.Duration(i*1370) * time.Millisecond), Level: level, Text: t})
	}
	return out
}

func (f *fake) furnishAudit(now time.Time) {
	entries := []fleet.AuditEntry{
		{Actor: "local", Action: "account.added", Object: "anna", Outcome: "ok"},
		{Actor: "anna", Action: "passcode.set", Address: "192.0.2.10", Outcome: "ok"},
		{Actor: "anna", Action: "image.build", Object: "linux", Address: "192.0.2.10", Outcome: "ok"},
		{Actor: "device", Action: "passcode.refused", Device: "d0003", Address: "192.0.2.22", Outcome: "refused", Reason: "wrong passcode", Count: 14, First: now.Add(-3 * time.Hour)},
		{Actor: "device", Action: "passcode.accepted", Device: "d0001", Address: "192.0.2.20", Outcome: "ok"},
		{Actor: "passcode", Action: "deployment.started", Object: "run1", Device: "d0001", Address: "192.0.2.20", Outcome: "ok"},
		{Actor: "passcode", Action: "deployment.failed", Object: "bad1", Device: "d0003", Address: "192.0.2.22", Outcome: "error", Reason: "Show the memory: exit code 127"},
	}
	for i := range entries {
		e := entries[i]
		e.Format, e.Number, e.Time = 1, int64(i+1), now.Add(-time.Duration(len(entries)-i)*7*time.Minute)
		f.audit = append(f.audit, e)
	}
}
