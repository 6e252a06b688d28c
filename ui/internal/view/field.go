package view

import (
	"strconv"
	"strings"
	"time"

	"slipway/fleet"
)

// Field is one value that may change while a page is open. The same Field is
// drawn into the page and sent as a patch; exactly one form is used: a status
// word, a time, a running or ended duration, a progress, or plain text.
type Field struct {
	Text    string `json:"x,omitempty"`
	Status  string `json:"s,omitempty"` // one of the closed list; Text is its word
	Time    string `json:"t,omitempty"` // RFC 3339: shown relative
	Since   string `json:"b,omitempty"` // RFC 3339: a duration that began then ...
	Until   string `json:"e,omitempty"` // ... and ended then, or still runs
	Percent *int   `json:"p,omitempty"` // 0 to 100, -1 unknown; Text stands beside it
	Href    string `json:"h,omitempty"` // Text is a link
	Words   string `json:"-"`           // a time or duration in words, for pages without scripts
}

func timeField(now, t time.Time) Field {
	if t.IsZero() {
		return Field{Text: "–"}
	}
	return Field{Time: Stamp(t), Words: Ago(now, t)}
}

// TookField is a duration that still runs when end is zero.
func TookField(now, start, end time.Time) Field {
	switch {
	case start.IsZero():
		return Field{Text: "–"}
	case end.IsZero():
		return Field{Since: Stamp(start), Words: Took(now.Sub(start))}
	}
	return Field{Since: Stamp(start), Until: Stamp(end), Words: Took(end.Sub(start))}
}

// Fields are the changing values of one thing, by name.
type Fields map[string]Field

// The closed list of states; each has one icon, one word, one colour.
const (
	Waiting   = "waiting"
	Booting   = "booting"
	Running   = "running"
	Input     = "input"
	Done      = "done"
	Failed    = "failed"
	Cancelled = "cancelled"
	Offline   = "offline"
	Idle      = "idle" // no state to show
)

// Silence is how long a running deployment may say nothing before its last
// state is no longer shown as the truth.
const Silence = 4 * time.Minute

// DeploymentStatus is the state of a deployment at a moment. heard is when the
// device last reported anything.
func DeploymentStatus(d fleet.Deployment, heard, now time.Time) Field {
	switch d.Status {
	case fleet.DeploymentSucceeded:
		return Field{Status: Done, Text: "Done"}
	case fleet.DeploymentFailed:
		return Field{Status: Failed, Text: "Failed"}
	case fleet.DeploymentCancelled:
		return Field{Status: Cancelled, Text: "Cancelled"}
	case fleet.DeploymentPaused:
		return Field{Status: Waiting, Text: "Waiting"}
	}
	switch {
	case d.WaitsFor != "":
		return Field{Status: Booting, Text: "Booting"}
	case now.Sub(heard) > Silence:
		return Field{Status: Offline, Text: "No report"}
	case d.Order == "cancel":
		return Field{Status: Waiting, Text: "Cancelling"}
	}
	return Field{Status: Running, Text: "Running"}
}

// DeploymentFields are the changing values of a deployment. p is the progress of
// its running step, nil when there is none; heard as for DeploymentStatus.
func DeploymentFields(d fleet.Deployment, p *fleet.Progress, heard, now time.Time) Fields {
	f := Fields{
		"status":  DeploymentStatus(d, heard, now),
		"step":    {Text: stepText(d)},
		"heard":   timeField(now, heard),
		"took":    TookField(now, d.StartedAt, time.Time{}),
		"message": {Text: d.Message},
	}
	if d.Status.Final() {
		end := d.EndedAt
		if end.IsZero() {
			end = d.UpdatedAt
		}
		f["took"] = TookField(now, d.StartedAt, end)
	} else {
		f["progress"] = progressField(d, p)
	}
	return f
}

func stepText(d fleet.Deployment) string {
	switch {
	case d.Status.Final() && d.Message != "":
		return d.Message
	case d.Status == fleet.DeploymentSucceeded:
		return "All " + Count(d.StepCount, "step", "steps") + " done"
	case d.WaitsFor == fleet.BootDisk:
		return "Waiting for the device to start from its disk"
	case d.WaitsFor == fleet.BootImageTarget && d.Staged != "":
		return "Waiting for the device to start Windows PE from its own disk"
	case d.WaitsFor == fleet.BootImageTarget:
		return "Waiting for the device to start the boot image"
	case d.StepNumber == 0:
		return "Starting"
	}
	s := "Step " + itoa(d.StepNumber) + " of " + itoa(d.StepCount)
	if d.CurrentName != "" {
		s += ": " + d.CurrentName
	}
	return s
}

func progressField(d fleet.Deployment, p *fleet.Progress) Field {
	percent := -1
	text := ""
	if p != nil && p.Path == d.CurrentStep {
		percent, text = p.Percent, p.Text
	}
	if text == "" && percent >= 0 {
		text = strconv.Itoa(percent) + " %"
	}
	return Field{Percent: &percent, Text: text}
}

// DeviceFields are the changing values of a device. current is its unfinished
// or last deployment, nil when it never had one; heard is when that one reported.
func DeviceFields(d fleet.Device, current *fleet.Deployment, heard, now time.Time) Fields {
	f := Fields{
		"name":    {Text: DeviceName(d), Href: DeviceURL(d.ID)},
		"model":   {Text: or(ModelName(d), "not reported yet")},
		"address": {Text: or(d.Address, "–")},
		"seen":    timeField(now, d.LastSeen),
		"boot":    {Text: BootText(d.Boot)},
		"now":     {Text: "–"},
	}
	if current != nil {
		f["now"] = DeploymentStatus(*current, heard, now)
	}
	return f
}

// DeviceName is what a device is called: its name, else serial, else a MAC.
func DeviceName(d fleet.Device) string {
	switch {
	case d.Name != "":
		return d.Name
	case d.Serial != "":
		return d.Serial
	case len(d.MACs) > 0:
		return d.MACs[0]
	}
	return d.ID
}

// ModelName is the maker and the model, the maker not twice.
func ModelName(d fleet.Device) string {
	maker := strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(d.Manufacturer, "Inc."), "Corporation"), " ,")
	if strings.HasPrefix(strings.ToLower(d.Model), strings.ToLower(maker)) {
		return d.Model
	}
	return strings.TrimSpace(maker + " " + d.Model)
}

// TargetText is a boot target in words.
func TargetText(t fleet.BootTarget) string {
	switch t {
	case fleet.BootImageTarget:
		return "Boot image"
	case fleet.BootWinPE:
		return "Windows PE image"
	case fleet.BootDisk:
		return "Local disk"
	case fleet.BootSilent:
		return "No answer"
	}
	return "Boot image"
}

// BootText is a boot policy in words.
func BootText(p fleet.BootPolicy) string {
	if p.Next != "" && p.Next != p.Always {
		return TargetText(p.Next) + " once, then " + lowerFirst(TargetText(p.Always))
	}
	return TargetText(p.Always)
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return string(s[0]|0x20) + s[1:]
}

// BuildFields are the changing values of an image build.
func BuildFields(b fleet.ImageBuild, now time.Time) Fields {
	percent := b.Percent
	return Fields{
		"status":   buildStatus(b),
		"stage":    {Text: or(b.Error, b.Stage)},
		"took":     TookField(now, b.StartedAt, b.EndedAt),
		"progress": {Percent: &percent, Text: itoa(b.Percent) + " %"},
		"log":      {Text: LogTail(b.Log)},
	}
}

// JobFields are the changing values of work on content: done of total bytes, total 0
// when that is not known. The state is not drawn as a field; it makes the end a change.
func JobFields(state, stage string, done, total int64) Fields {
	percent := -1
	text := ""
	if total > 0 {
		percent = int(min(100, done*100/total))
		text = itoa(percent) + " %, " + Bytes(done) + " of " + Bytes(total)
	} else if done > 0 {
		text = Bytes(done)
	}
	return Fields{"state": {Text: state}, "stage": {Text: stage}, "progress": {Percent: &percent, Text: text}}
}

func buildStatus(b fleet.ImageBuild) Field {
	switch b.State {
	case "done":
		return Field{Status: Done, Text: "Done"}
	case "failed":
		return Field{Status: Failed, Text: "Failed"}
	}
	return Field{Status: Running, Text: "Running"}
}

// LogTail is the end of a build's log, short enough to send again and again.
func LogTail(lines []string) string {
	const most = 60
	if len(lines) > most {
		lines = lines[len(lines)-most:]
	}
	n := 0
	for _, l := range lines {
		n += len(l) + 1
	}
	out := make([]byte, 0, n)
	for _, l := range lines {
		out = append(append(out, l...), '\n')
	}
	return string(out)
}
