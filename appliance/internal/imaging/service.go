package imaging

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/fleet"
)

// Errors a caller can tell apart with errors.Is. Options that make no sense are
// bootimages.ErrOption.
var (
	ErrNotInThisVersion = errors.New("not in this version")
	ErrUnknownBuild     = errors.New("no such build")
	ErrClosed           = errors.New("the imaging service is closed")
	ErrAuthority        = errors.New("the certificate authority was changed over while the image was built, and devices that boot it could not connect; build it again")
)

// Builder is what the service needs of *bootimages.Builder.
type Builder interface {
	BuildLinux(context.Context, bootimages.Options, bootimages.Report) (fleet.BootImage, error)
	BuildWinPE(context.Context, bootimages.Options, bootimages.Report) (fleet.BootImage, error)
	OpenDisk(fleet.BootImage) (io.ReadSeekCloser, int64, error)
	Report(id string) (bootimages.WinPEReport, error)
	EnsureLoaders(ctx context.Context, packages string) (bootimages.Loaders, error)
	EnsureMediaParts(ctx context.Context, packages string) error
	MakeMedium(context.Context, fleet.BootImage, bootimages.MediaOptions) (bootimages.MadeMedium, error)
	Export(context.Context, io.Writer, fleet.BootImage, bootimages.ExportOptions) error
	Clean() error
	TempDir(what string) (string, error)
	Remove(id string) error
	BootDir() string
	LoadersDir() string
	OneFileDigest(id string) ([sha256.Size]byte, error)
	AttachSignature(id string, signature []byte) (fleet.ImageFile, *x509.Certificate, error)
}

// Auditor writes the audit log.
type Auditor interface {
	Write(context.Context, fleet.AuditEntry) error
}

// Actor is who asks, for the audit log.
type Actor struct{ Name, Address string }

// Config is what a service is made of. Builder, Store, CASet, Installation and
// Audit must be set.
type Config struct {
	Builder      Builder
	Store        *state.Store
	Audit        Auditor
	CASet        func() [][]byte // DER: the CA set that images pin, read at each build
	Installation func() string   // installation id
	AgentVersion string
	Protocol     int                // the agent's
	Shelf        Shelf              // nil: builds take paths only
	Defaults     bootimages.Options // for fields a request leaves empty: Agent, Keyboard, Servers
	Logger       *slog.Logger
	Now          func() time.Time
	NewID        func() string // of builds
	CollectEvery time.Duration // how often unused images are removed; default 1 h
}

// Service runs builds and knows the images. It is safe for concurrent use.
type Service struct {
	c      Config
	ctx    context.Context // of builds: ends at Close
	cancel context.CancelFunc
	turn   chan struct{} // holds one token: builds run one at a time
	wg     sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	builds   []*build          // newest first, bounded
	running  map[string]*build // by what they build
	watchers map[*watcher]struct{}
	damaged  map[string]string // image id -> what is wrong with its files
}

// Open starts the service: it removes what interrupted builds left behind, and
// checks the files of every recorded image. ctx bounds the start only.
func Open(ctx context.Context, c Config) (*Service, error) {
	if c.Builder == nil || c.Store == nil || c.CASet == nil || c.Installation == nil || c.Audit == nil {
		return nil, errors.New("imaging: incomplete configuration")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = uuid.NewString
	}
	if c.CollectEvery == 0 {
		c.CollectEvery = time.Hour
	}
	s := &Service{c: c, turn: make(chan struct{}, 1), running: map[string]*build{}, watchers: map[*watcher]struct{}{}, damaged: map[string]string{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := c.Builder.Clean(); err != nil {
		s.cancel()
		return nil, fmt.Errorf("clean up interrupted image builds: %w", err)
	}
	if err := s.reconcile(ctx); err != nil {
		s.cancel()
		return nil, err
	}
	s.wg.Go(s.collectLoop)
	return s, nil
}

// Close cancels what is under way and waits for its end.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		w.end()
	}
	clear(s.watchers)
	return nil
}

// EnsureLoaders brings the network boot loaders into place; see
// bootimages.Builder. packages may name a folder of .deb files.
func (s *Service) EnsureLoaders(ctx context.Context, packages string) (bootimages.Loaders, error) {
	return s.c.Builder.EnsureLoaders(ctx, packages)
}

// caPEM is the CA set as images carry it.
func (s *Service) caPEM() []byte {
	var out []byte
	for _, der := range s.c.CASet() {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

func (s *Service) audit(ctx context.Context, e fleet.AuditEntry) {
	if err := s.c.Audit.Write(ctx, e); err != nil {
		s.c.Logger.WarnContext(ctx, "audit entry was not written", "action", e.Action, "error", err)
	}
}
