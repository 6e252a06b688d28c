// Package steps holds the executors: one file per step definition, under the
// definition's name. An executor touches the machine only through the interfaces
// it is handed (Machine); what runs next is none of its business.
package steps

import (
	"cmp"
	"context"
	"io"
	"time"

	"slipway/agent/internal/bootable"
	"slipway/agent/internal/disk"
	"slipway/tasksequence"
)

// Step is what an executor is given.
type Step struct {
	Settings    tasksequence.Settings
	Vars        *tasksequence.Variables // the step's scope: its private values first
	Machine     Machine
	Script      *tasksequence.Script           // of the step's definition; nil for built-in ones
	Options     []string                       // names of the definition's options
	Key         string                         // names this step of this deployment: the same after a restart, unique otherwise
	Interrupted bool                           // it was running when the agent ended
	Log         func(level, text string)       // one line of the deployment's log
	Progress    func(percent int, text string) // -1: unknown
	Succeeded   func(exitCode int) bool        // by the step's success codes
}

// Outcome is how a step ended without an error of ours.
type Outcome struct {
	ExitCode int
	Message  string
	Restart  *Restart // the machine restarts after the result is kept
}

// Restart asks for a restart of the machine.
type Restart struct {
	Target  string // disk or image
	Staged  string // of image: id of the boot image that lies on the disk and starts from there; empty: it comes from the network
	Message string
	Delay   time.Duration
	Again   bool // the step is not over: it runs again afterwards, as an interrupted one
}

// Executor carries out one kind of step. An error fails the step; its text is
// shown to people.
type Executor func(ctx context.Context, s *Step) (Outcome, error)

// Machine is how executors reach the machine.
type Machine struct {
	Exec       Exec
	Files      Files
	Content    Content
	Disks      disk.Disks
	Tools      Tools // nil: what the system has is all there is
	Agent      Agent
	Autopilot  Autopilot
	DomainJoin DomainJoin
	Cloud      Cloud
	WinPE      WinPE        // nil: this is no installed Windows
	Settle     func() error // waits until what a step wrote is on the disk; nil: nothing has to be waited for
	Root       string       // of the installed system that the agent runs in; "/" when empty, on Windows the system's drive

	EFIVariables string // folder of the firmware's variables; empty: where the kernel shows them

	// DiskPatience is how long a disk that is not there is waited for; of all disks a
	// tenth of it must pass without a change before one is chosen among them. USB sticks
	// and SAS disks show themselves seconds after their driver was loaded, and a step may
	// be the first thing a boot image does. 0: what is there is all there is.
	DiskPatience time.Duration
}

// UsualDiskPatience is Machine.DiskPatience of boot images.
const UsualDiskPatience = 20 * time.Second

func (m Machine) efiVariables() string { return cmp.Or(m.EFIVariables, bootable.EFIVariables) }

// Agent is how an executor hands the deployment over to the installed system.
type Agent interface {
	// Place puts the agent into the system at root, with all it needs to go on there
	// when the device starts from its disk. start says what starts it in a Windows, of
	// tasksequence.AgentStarts; specialize when empty.
	Place(ctx context.Context, root, start string) error
	// PlaceOn is Place for a volume that is mounted only while it is worked on: open
	// mounts it. It is opened again before the device restarts, when what has to be known
	// there is written a last time.
	PlaceOn(ctx context.Context, start string, open OpenVolume) error
	// Authorities are the appliance's certificate authorities, PEM, one text each.
	Authorities() []string
}

// WinPE is how an installed Windows gets to Windows PE without the network.
type WinPE interface {
	// Available asks for the appliance's image for this device: its id, and the parts of
	// Windows PE that it lacks, as tasksequence.Plan.ForeseeStagedParts takes them.
	Available(ctx context.Context) (image string, lacks map[string]string, err error)
	// Stage puts the image onto the disk and has the boot manager start it once, at the next
	// start. When it fails everything is as it was before.
	Stage(ctx context.Context, progress func(percent int, text string), log func(level, text string)) (image string, err error)
}

// OpenVolume mounts a volume and returns its root; undo unmounts it.
type OpenVolume func(ctx context.Context) (root string, undo func() error, err error)

// Tools brings programs that the boot image itself does not hold.
type Tools interface {
	// Need makes sure that these programs can be run.
	Need(ctx context.Context, progress func(percent int, text string), programs ...string) error
}

// needTools fetches what a step needs before it begins.
func (s *Step) needTools(ctx context.Context, programs ...string) error {
	if s.Machine.Tools == nil {
		return nil
	}
	return s.Machine.Tools.Need(ctx, s.Progress, programs...)
}

// Exec runs programs.
type Exec interface {
	// Run runs a program until it ends. When ctx ends, the program and all it
	// started are killed. The error says that it could not be run or was killed.
	Run(ctx context.Context, c Command) (exitCode int, err error)
}

// Command is a program to run. Its output comes line by line, never two lines
// at once.
type Command struct {
	Args   []string
	Line   string // Windows only: the program's command line as it is, where Args would be quoted otherwise than it reads them
	Dir    string
	Env    []string
	Root   string    // the folder that the program sees as "/"; empty: as it is
	Stdin  string    // what the program reads; never logged
	Input  io.Reader // or what it reads as a stream
	Stdout func(line string)
	Output io.Writer // or where its standard output goes as it is
	Stderr func(line string)
}

// Files is what executors need of the file system.
type Files interface {
	// Temporary makes an empty file in memory and returns its path.
	Temporary(pattern string) (string, error)
	// Write fills a file that Temporary made.
	Write(path string, text []byte) error
	// Read reads a file of at most limit bytes.
	Read(path string, limit int64) ([]byte, error)
	Remove(path string) error
}
