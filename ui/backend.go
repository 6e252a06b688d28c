package ui

import (
	"context"
	"io"
	"net/netip"
	"net/url"
	"time"

	"slipway/fleet"
	"slipway/tasksequence"
)

// Actor is who asks, for the audit log. The console has checked the role already.
type Actor struct {
	Name    string // account name
	Address netip.Addr
}

// Backend is all the console asks of the appliance. Every field must be set.
// Implementations are safe for concurrent use, return copies the console may
// keep, and answer within a second; sentinels and error types are in errors.go.
type Backend struct {
	Sessions    Sessions
	Security    Security
	Accounts    Accounts
	Tokens      Tokens
	Devices     Devices
	Deployments Deployments
	Sequences   Sequences
	Drafts      Drafts
	Content     Content
	Catalogues  Catalogues
	Images      Images
	Windows     Windows
	Graph       Graph
	Audit       Audit
	Health      Health
	Live        Live
}

// Sessions is who is signed in, and how the first administrator comes to be.
type Sessions interface {
	// NeedsSetup reports whether no account exists yet.
	NeedsSetup(ctx context.Context) (bool, error)
	// Setup makes the first administrator. ErrWrong for a wrong code, *FieldError
	// ("name", "password"), *Throttled, *Refused when an account exists already.
	Setup(ctx context.Context, from netip.Addr, code, name, password string) error
	// SignIn returns the cookie's value (at least 128 random bits, no characters a
	// cookie cannot carry) and the session. ErrWrong or *Throttled.
	SignIn(ctx context.Context, from netip.Addr, name, password string) (cookie string, s fleet.Session, err error)
	// SignOut ends the session; a cookie nobody knows is not an error.
	SignOut(ctx context.Context, cookie string) error
	// Session finds the session of a cookie. ErrSignedOut when there is none or
	// it has expired. Session.CSRF must be a secret of at least 128 bits.
	Session(ctx context.Context, cookie string) (fleet.Account, fleet.Session, error)
	// Provider is where people may sign in besides here.
	Provider(ctx context.Context) (Provider, error)
	// BeginProvider sends a browser to the provider: redirect is an https address
	// there, cookie goes into the browser until it is back. origin is that of the
	// console, as the browser names it. ErrUnavailable, *Refused.
	BeginProvider(ctx context.Context, from netip.Addr, origin string) (redirect, cookie string, err error)
	// FinishProvider takes what the browser brought back and returns what SignIn
	// does. ErrWrong, ErrDenied, ErrRole, ErrLate, ErrUnavailable.
	FinishProvider(ctx context.Context, from netip.Addr, answer url.Values, cookie string) (session string, s fleet.Session, err error)
}

// Provider is the OpenID provider of the console's people.
type Provider struct {
	Name     string // on the button; empty when there is none
	LocalOff bool   // only break-glass accounts may use a password
}

// Devices is every machine ever seen. Order does not matter: the console sorts.
type Devices interface {
	List(ctx context.Context) ([]fleet.Device, error)
	Get(ctx context.Context, id string) (fleet.Device, error)
	Rename(ctx context.Context, by Actor, id, name string) error
	// Assign sets the sequence a device runs without asking: "id", "id:version",
	// or empty for none. *FieldError ("sequence").
	Assign(ctx context.Context, by Actor, id, sequence string) error
	// SetBoot sets what the device boots: always, or once at its next boot. Once
	// with an empty target takes the one-time answer back.
	SetBoot(ctx context.Context, by Actor, id string, target fleet.BootTarget, once bool) error
	// SetWay sets what the device's UEFI firmware is given first; empty: the
	// appliance's own setting.
	SetWay(ctx context.Context, by Actor, id string, way fleet.BootWay) error
	// SetVariables replaces the variables that the device's next deployments begin
	// with. FieldErrors with the fields "name-N" and "value-N" of the list's N.
	SetVariables(ctx context.Context, by Actor, id string, list []DeviceVariable) error
}

// DeviceVariable is a variable of a device as somebody sets it.
type DeviceVariable struct {
	Name  string
	Value tasksequence.Value
	Keep  string // of a secret: the name of the one whose value stays as it is
}

// Deployments is every run of a sequence. Order does not matter.
type Deployments interface {
	List(ctx context.Context) ([]fleet.Deployment, error)
	Get(ctx context.Context, id string) (fleet.Deployment, error)
	Results(ctx context.Context, id string) ([]fleet.StepResult, error)
	// Document is the pinned tasksequence.Document as JSON.
	Document(ctx context.Context, id string) ([]byte, error)
	// Progress of the running step; false when nothing was reported.
	Progress(ctx context.Context, id string) (fleet.Progress, bool)
	// Log returns up to n lines with Number >= from, in order, and the number of
	// the last line there is (0: none). Numbers rise by one through the whole
	// deployment, from 1. A from below 1 is taken as 1.
	Log(ctx context.Context, id string, from int64, n int) (lines []fleet.LogLine, last int64, err error)
	// Cancel orders the device to stop after its current step. *Refused when it
	// has ended already.
	Cancel(ctx context.Context, by Actor, id string) error
	// Pause lets the device wait before its next step until Continue. *Refused when
	// it has ended, or is not paused.
	Pause(ctx context.Context, by Actor, id string) error
	Continue(ctx context.Context, by Actor, id string) error
}

// Hearing may be implemented by Deployments as well: when a device last called,
// heartbeats without news included; zero when unknown. Without it a step that
// reports nothing for minutes looks like a device that fell silent.
type Hearing interface {
	LastHeard(id string) time.Time
}

// Images is the boot images and their builds.
type Images interface {
	List(ctx context.Context) ([]fleet.BootImage, error)
	// Builds are those under way and the recent ones, newest first.
	Builds(ctx context.Context) ([]fleet.ImageBuild, error)
	// Build starts a build of that kind ("linux"), or joins the one under way,
	// and returns its id at once. *Refused says why it cannot start.
	Build(ctx context.Context, by Actor, kind string) (id string, err error)
}

// AuditQuery asks for audit entries. Empty fields match everything.
type AuditQuery struct {
	Text    string // contained in any field, case-insensitive
	Actor   string
	Action  string // the whole action, or a prefix that ends in a dot ("passcode.")
	Device  string
	Address string // an address, or a network as 192.0.2.0/24
	Outcome string
	Since   time.Time // not before
	Until   time.Time // before
	Before  int64     // only entries with a smaller number; 0 = newest
	After   int64     // only entries with a greater number, those next to it; 0 = Before counts
	Limit   int
}

// The formats of an export.
const (
	FormatJSONLines = "jsonl"
	FormatCSV       = "csv"
)

// Audit is the append-only record of who did what.
type Audit interface {
	// Recent returns matching entries, newest first.
	Recent(ctx context.Context, q AuditQuery) ([]fleet.AuditEntry, error)
	// Export writes every matching entry, oldest first, as it reads them. Before,
	// After and Limit do not count. That it was exported is an entry too.
	Export(ctx context.Context, by Actor, w io.Writer, q AuditQuery, format string) error
}

// CheckState is the outcome of one health check.
type CheckState string

// The outcomes of a health check.
const (
	CheckOK      CheckState = "ok"
	CheckWarning CheckState = "warning"
	CheckFailed  CheckState = "failed"
	CheckOff     CheckState = "off" // switched off in the configuration
)

// Check is one line of the appliance's health: DHCP, TFTP, HTTP boot, disk,
// certificate.
type Check struct {
	Name  string     // "proxyDHCP"
	State CheckState // ok, warning, failed, off
	Text  string     // "Answering on eth0, ports 67 and 4011"
	Next  string     // what to do, when not ok
}

// Health is the state of the appliance's own parts.
type Health interface {
	Checks(ctx context.Context) ([]Check, error)
	// Version is shown in the foot of the navigation.
	Version() string
}

// The kinds of things a Change names.
const (
	ChangeDevice     = "device"     // ID: device id
	ChangeDeployment = "deployment" // ID: deployment id; also for step results and progress
	ChangeLog        = "log"        // ID: deployment id; new log lines
	ChangeImage      = "image"      // ID: boot image id
	ChangeBuild      = "build"      // ID: build id; state, percent, stage or log
	ChangeContent    = "content"    // ID: content item id; the item, or a version of it
	ChangeContentJob = "contentjob" // ID: job id; stage, bytes, state
	ChangeSequence   = "sequence"   // ID: sequence id
	ChangeSecurity   = "security"   // passcodes, sign-in settings, held list
	ChangeAccess     = "access"     // accounts, API tokens, device tokens
	ChangeAudit      = "audit"      // a new entry
	ChangeHealth     = "health"     // a check changed
)

// Change says that something changed; the console then asks for the new value.
// It may be sent too often, never too seldom. Lost says that changes were missed:
// browsers then load their page anew.
type Change struct {
	Kind string
	ID   string
	Lost bool
}

// Live is the stream of changes.
type Live interface {
	// Subscribe sends changes until ctx ends, then closes the channel. It must
	// not block the sender: drop and send Lost instead. The console subscribes once.
	Subscribe(ctx context.Context) <-chan Change
}
