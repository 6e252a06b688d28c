package ui

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/fleet"
)

// fake is the appliance in memory, as strict as the real one has to be: it
// refuses what the interfaces' comments say is refused, and it notes every
// change so that tests see who did what.
type fake struct {
	mu          sync.Mutex
	now         func() time.Time
	code        string // one-time setup code; empty once used
	accounts    map[string]fleet.Account
	passwords   map[string]string
	sessions    map[string]fleet.Session
	wrong       int                    // failed sign-ins
	passcode    string                 // value of the shared one
	status      fleet.PasscodeStatus   // of the shared one
	named       []fleet.PasscodeStatus // the others
	put         NewPasscode            // the last one that was set
	settings    map[string]string      // sign-in, by name
	reminder    int                    // days
	tokens      []fleet.Token
	provider    error // how the provider answers
	held        []fleet.Held
	devices     map[string]fleet.Device
	deployments map[string]fleet.Deployment
	results     map[string][]fleet.StepResult
	documents   map[string][]byte
	progress    map[string]fleet.Progress
	lines       map[string][]fleet.LogLine
	sequences   []fleet.Sequence
	content     []ContentItem
	jobs        []ContentJob
	added       AddContent // the last one
	pieces      int        // of uploads
	breakAt     int        // the piece at which the connection breaks
	staysDown   bool       // ... and does not come back
	onBreak     func()
	down        bool
	uploads     map[string]*fakeUpload
	drafts      map[string][]byte // by account and sequence
	images      []fleet.BootImage
	graph       map[string]string
	catalogues  []Catalogue
	entries     []CatalogueEntry
	imported    ImportCatalogue // the last one
	wimboot     Wimboot
	winBuild    WinPEBuild // the last one that was asked for
	builds      []fleet.ImageBuild
	audit       []fleet.AuditEntry
	checks      []Check
	readOnly    bool
	subscribers []chan Change
}

func newFake(now func() time.Time) *fake {
	return &fake{now: now, code: "k7m2-x9wq-p4td", accounts: map[string]fleet.Account{}, passwords: map[string]string{},
		sessions: map[string]fleet.Session{}, devices: map[string]fleet.Device{}, deployments: map[string]fleet.Deployment{},
		results: map[string][]fleet.StepResult{}, documents: map[string][]byte{}, progress: map[string]fleet.Progress{},
		lines: map[string][]fleet.LogLine{}, drafts: map[string][]byte{}, uploads: map[string]*fakeUpload{}, settings: map[string]string{"passcode.fullos": "on", "console.local": "on"}}
}

func (f *fake) backend() Backend {
	return Backend{Sessions: fakeSessions{f}, Security: fakeSecurity{f}, Accounts: fakeAccounts{f}, Tokens: fakeTokens{f}, Devices: fakeDevices{f}, Deployments: fakeDeployments{f},
		Sequences: fakeSequences{f}, Drafts: fakeDrafts{f}, Content: fakeContent{f}, Catalogues: fakeCatalogues{f}, Images: fakeImages{f}, Graph: fakeGraph{f}, Windows: fakeWindows{f}, Audit: fakeAudit{f}, Health: fakeHealth{f}, Live: fakeLive{f}}
}

// note writes an audit entry; the caller holds the lock.
func (f *fake) note(by Actor, action, object, outcome string) {
	f.audit = append(f.audit, fleet.AuditEntry{Format: 1, Number: int64(len(f.audit) + 1), Time: f.now(), Actor: by.Name,
		Action: action, Object: object, Address: by.Address.String(), Outcome: outcome})
	f.tell(Change{Kind: ChangeAudit})
}

func (f *fake) tell(c Change) {
	for _, s := range f.subscribers {
		select {
		case s <- c:
		default:
		}
	}
}

// change runs fn under the lock and tells subscribers.
func (f *fake) change(c Change, fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
	f.tell(c)
}

func (f *fake) addAccount(name, password string, role fleet.Role) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accounts[name] = fleet.Account{Name: name, Role: role, CreatedAt: f.now()}
	f.passwords[name] = password
}

type fakeSessions struct{ *fake }

func (f fakeSessions) NeedsSetup(context.Context) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.accounts) == 0, nil
}

func (f fakeSessions) Setup(_ context.Context, _ netip.Addr, code, name, password string) error {
	f.mu.Lock()
	used := len(f.accounts) > 0
	right := code == f.code
	f.mu.Unlock()
	switch {
	case used:
		return &Refused{Reason: "An account exists already."}
	case !right:
		return ErrWrong
	case name == "":
		return &FieldError{Field: "name", Detail: "A name is needed."}
	case len(password) < 10:
		return &FieldError{Field: "password", Detail: "Use at least 10 characters."}
	}
	f.addAccount(name, password, fleet.RoleAdministrator)
	return nil
}

func (f fakeSessions) SignIn(_ context.Context, from netip.Addr, name, password string) (string, fleet.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wrong >= 5 {
		return "", fleet.Session{}, &Throttled{RetryAfter: 12 * time.Second}
	}
	if want, ok := f.passwords[name]; !ok || want != password || !from.IsValid() {
		f.wrong++
		return "", fleet.Session{}, ErrWrong
	}
	cookie := rand.Text()
	s := fleet.Session{Account: name, CSRF: rand.Text(), Address: from.String(), CreatedAt: f.now(), ExpiresAt: f.now().Add(12 * time.Hour)}
	f.sessions[cookie] = s
	return cookie, s, nil
}

func (f fakeSessions) SignOut(_ context.Context, cookie string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.sessions, cookie)
	return nil
}

func (f fakeSessions) Session(_ context.Context, cookie string) (fleet.Account, fleet.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.sessions[cookie]
	if !ok || s.ExpiresAt.Before(f.now()) {
		return fleet.Account{}, fleet.Session{}, ErrSignedOut
	}
	return f.accounts[s.Account], s, nil
}

type fakeDevices struct{ *fake }

func (f fakeDevices) List(context.Context) ([]fleet.Device, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []fleet.Device
	for _, d := range f.devices { // map order on purpose: the console sorts
		out = append(out, d)
	}
	return out, nil
}

func (f fakeDevices) Get(_ context.Context, id string) (fleet.Device, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, ok := f.devices[id]
	if !ok {
		return d, fmt.Errorf("device %q: %w", id, ErrNotFound)
	}
	return d, nil
}

func (f fakeDevices) edit(by Actor, id, action string, fn func(*fleet.Device)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, ok := f.devices[id]
	if !ok {
		return ErrNotFound
	}
	fn(&d)
	f.devices[id] = d
	f.note(by, action, id, "ok")
	f.tell(Change{Kind: ChangeDevice, ID: id})
	return nil
}

func (f fakeDevices) Rename(_ context.Context, by Actor, id, name string) error {
	if strings.ContainsAny(name, " /") {
		return &FieldError{Field: "name", Detail: "Letters, digits and hyphens only."}
	}
	return f.edit(by, id, "device.renamed", func(d *fleet.Device) { d.Name = name })
}

func (f fakeDevices) Assign(_ context.Context, by Actor, id, sequence string) error {
	if sequence != "" && !slices.ContainsFunc(f.sequences, func(s fleet.Sequence) bool { return s.ID == sequence }) {
		return &FieldError{Field: "sequence", Detail: "There is no such task sequence."}
	}
	return f.edit(by, id, "device.assigned", func(d *fleet.Device) { d.Sequence = sequence })
}

func (f fakeDevices) SetBoot(_ context.Context, by Actor, id string, target fleet.BootTarget, once bool) error {
	return f.edit(by, id, "device.boot", func(d *fleet.Device) {
		if once {
			d.Boot.Next = target
		} else {
			d.Boot.Always = target
		}
	})
}

func (f fakeDevices) SetWay(_ context.Context, by Actor, id string, way fleet.BootWay) error {
	return f.edit(by, id, "device.way", func(d *fleet.Device) { d.Boot.Way = way })
}

// SetVariables keeps what it is given; a name with a space or twice is refused.
func (f fakeDevices) SetVariables(_ context.Context, by Actor, id string, list []DeviceVariable) error {
	var wrong FieldErrors
	var out []fleet.DeviceVariable
	seen := map[string]bool{}
	f.mu.Lock()
	old := f.devices[id].Variables
	f.mu.Unlock()
	for i, v := range list {
		switch {
		case strings.ContainsAny(v.Name, " %"):
			wrong = append(wrong, &FieldError{Field: fmt.Sprintf("name-%d", i), Detail: "use letters, digits, _, - and ., beginning with a letter or _"})
		case seen[strings.ToLower(v.Name)]:
			wrong = append(wrong, &FieldError{Field: fmt.Sprintf("name-%d", i), Detail: "another variable has this name already; letter case does not matter"})
		case v.Value.Secret && v.Keep == "" && v.Value.String() == "":
			wrong = append(wrong, &FieldError{Field: fmt.Sprintf("value-%d", i), Detail: "give the secret: none is set"})
		}
		seen[strings.ToLower(v.Name)] = true
		x := fleet.DeviceVariable{Name: v.Name, Secret: v.Value.Secret}
		text, err := json.Marshal(v.Value)
		if err != nil {
			return err
		}
		switch {
		case v.Keep != "":
			x.Sealed = old[slices.IndexFunc(old, func(o fleet.DeviceVariable) bool { return o.Name == v.Keep })].Sealed
		case x.Secret:
			x.Sealed = text // as good as sealed: nothing may show it
		default:
			x.Value = text
		}
		out = append(out, x)
	}
	if len(wrong) > 0 {
		return wrong
	}
	return f.edit(by, id, "device.variables", func(d *fleet.Device) { d.Variables = out })
}

type fakeDeployments struct{ *fake }

func (f fakeDeployments) List(context.Context) ([]fleet.Deployment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []fleet.Deployment
	for _, d := range f.deployments {
		out = append(out, d)
	}
	return out, nil
}

func (f fakeDeployments) Get(_ context.Context, id string) (fleet.Deployment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, ok := f.deployments[id]
	if !ok {
		return d, ErrNotFound
	}
	return d, nil
}

func (f fakeDeployments) Results(_ context.Context, id string) ([]fleet.StepResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.results[id]), nil
}

func (f fakeDeployments) Document(_ context.Context, id string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.documents[id] == nil {
		return nil, ErrNotFound
	}
	return f.documents[id], nil
}

func (f fakeDeployments) Progress(_ context.Context, id string) (fleet.Progress, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.progress[id]
	return p, ok
}

func (f fakeDeployments) Log(_ context.Context, id string, from int64, n int) ([]fleet.LogLine, int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.lines[id]
	from = max(from, 1)
	if n < 1 || n > 1000 {
		return nil, 0, fmt.Errorf("%d lines were asked for", n)
	}
	start := min(int(from-1), len(all))
	return slices.Clone(all[start:min(start+n, len(all))]), int64(len(all)), nil
}

func (f fakeDeployments) Cancel(_ context.Context, by Actor, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, ok := f.deployments[id]
	switch {
	case !ok:
		return ErrNotFound
	case d.Status.Final():
		return &Refused{Reason: "This deployment has already ended."}
	}
	d.Order = "cancel"
	f.deployments[id] = d
	f.note(by, "deployment.cancel", id, "ok")
	f.tell(Change{Kind: ChangeDeployment, ID: id})
	return nil
}

func (f fakeDeployments) Pause(_ context.Context, by Actor, id string) error {
	return f.order(by, id, "pause", fleet.DeploymentPaused)
}

func (f fakeDeployments) Continue(_ context.Context, by Actor, id string) error {
	return f.order(by, id, "continue", fleet.DeploymentRunning)
}

func (f fakeDeployments) order(by Actor, id, order string, status fleet.DeploymentStatus) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, ok := f.deployments[id]
	switch {
	case !ok:
		return ErrNotFound
	case d.Status.Final():
		return &Refused{Reason: "This deployment has already ended."}
	}
	d.Order, d.Status = order, status
	f.deployments[id] = d
	f.note(by, "order."+order, id, "ok")
	return nil
}
