package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"syscall"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/backup"
	"slipway/appliance/internal/secrets"
	"slipway/appliance/internal/socket"
	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// WriteBackup asks for a backup, sealed under a recovery passphrase.
type WriteBackup struct {
	Passphrase    string `json:"passphrase"`
	Configuration []byte `json:"configuration,omitempty"` // content of the configuration file, to be kept with it
	Content       bool   `json:"content,omitempty"`       // with the bytes of content
}

// RotatedSecret is what a rotation of the key did.
type RotatedSecret struct {
	DataKeys int `json:"dataKeys"` // that were wrapped anew
}

// maxBackupRequest holds a configuration file of the largest size, in base64.
const maxBackupRequest = 2 << 20

// backupRoutes are backup and the rotation of the key file. Both are for the machine
// itself alone: a backup holds every secret there is, and whoever rotates must be able
// to keep the key file.
func (a *API) backupRoutes() []route {
	return []route{
		{Method: "POST", Path: admin + "/backup", Access: Administrator, Summary: "A backup of everything (local socket only)", In: WriteBackup{}, Out: raw{}, MaxBody: maxBackupRequest, Handle: a.writeBackup},
		{Method: "POST", Path: admin + "/secret/rotate", Access: Administrator, Summary: "Replace the key that secrets are sealed under (local socket only)", Out: RotatedSecret{}, Handle: a.rotateSecret},
	}
}

func localOnly(c *call, command string) error {
	if c.Local {
		return nil
	}
	return &Problem{Status: http.StatusForbidden, Code: "local-only",
		Detail: "This is only done on the appliance itself: " + command + "."}
}

// writeBackup streams the backup. What goes wrong after its first byte cannot become
// another answer: the trailer that says that all is there is missing then, and another
// says why.
func (a *API) writeBackup(c *call) (any, error) {
	if err := localOnly(c, "slipway backup FILE"); err != nil {
		return nil, err
	}
	var in WriteBackup
	if err := c.body(&in); err != nil {
		return nil, err
	}
	out := &stream{to: c.Writer}
	m, err := a.Backups.Write(c.ctx(), out, in.Passphrase, backup.Wanted{Configuration: in.Configuration, Content: in.Content})
	if err != nil && !out.begun {
		return nil, backupProblem(err)
	}
	a.noteOutcome(c, "backup.written", m.Installation, err)
	if err != nil {
		a.log.ErrorContext(c.ctx(), "a backup was not finished", slog.Any("error", err))
		c.Writer.Header().Set(socket.TrailerReason, socket.Reason(err))
		return written{}, nil
	}
	c.Writer.Header().Set(socket.TrailerComplete, "yes")
	return written{}, nil
}

// stream begins the answer with its first byte.
type stream struct {
	to    http.ResponseWriter
	begun bool
}

func (s *stream) Write(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		s.to.Header().Set("Content-Type", "application/octet-stream")
		s.to.Header().Set("Trailer", socket.TrailerComplete+", "+socket.TrailerReason)
		s.to.WriteHeader(http.StatusOK)
	}
	return s.to.Write(p)
}

func (a *API) rotateSecret(c *call) (any, error) {
	if err := localOnly(c, "slipway secret rotate"); err != nil {
		return nil, err
	}
	count, err := a.RotateSecret(c.ctx())
	a.noteOutcome(c, "secret.rotated", "", err)
	if err != nil {
		return nil, backupProblem(err)
	}
	return RotatedSecret{DataKeys: count}, nil
}

// backupProblem is the answer to an error of a backup or a rotation; others are left
// to the general table.
func backupProblem(err error) error {
	p := &Problem{Detail: err.Error(), Cause: err}
	switch {
	case errors.Is(err, backup.ErrWeak):
		p.Status, p.Code, p.Fields = http.StatusUnprocessableEntity, "invalid", []wire.FieldError{{Field: "passphrase", Detail: p.Detail}}
	case errors.Is(err, backup.ErrBusy):
		p.Status, p.Code, p.RetryAfter = http.StatusServiceUnavailable, "busy", time.Second
	case errors.Is(err, secrets.ErrKeyFile):
		p.Status, p.Code = http.StatusConflict, "key-file"
	case errors.Is(err, syscall.ENOSPC):
		return errors.Join(state.ErrFull, err)
	default:
		return err
	}
	return p
}

// noteOutcome writes the audit entry of what was tried.
func (a *API) noteOutcome(c *call, action, object string, err error) {
	e := fleet.AuditEntry{Actor: c.Actor, Address: addressOf(c), Action: action, Object: object, Outcome: audit.OutcomeOK}
	if err != nil {
		e.Outcome, e.Reason = "error", err.Error()
	}
	ctx := context.WithoutCancel(c.ctx())
	if err := a.Audit.Write(ctx, e); err != nil {
		a.log.WarnContext(ctx, "audit entry was not written", "action", action, "error", err)
	}
}
