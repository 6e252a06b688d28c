// Package console gives the web console (package ui) what it asks for: it adapts
// the appliance's services to the small interfaces that ui declares. It holds no
// logic of its own beyond translating types and errors.
package console

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/catalogue"
	"slipway/appliance/internal/content"
	"slipway/appliance/internal/devices"
	"slipway/appliance/internal/drafts"
	"slipway/appliance/internal/engine"
	"slipway/appliance/internal/graph"
	"slipway/appliance/internal/imaging"
	"slipway/appliance/internal/settings"
	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/tasksequence"
	"slipway/ui"
)

// Services are what stands behind the console.
type Services struct {
	Auth     *auth.Service
	Settings *settings.Service
	Devices  *devices.Admin
	Engine   *engine.Engine
	Library  *engine.Library
	Drafts   *drafts.Store
	Content  *content.Service

	Catalogues *catalogue.Service
	Uploads    http.Handler // of the content service, at ui.UploadsPath
	Images     *imaging.Service
	Graph      *graph.Service
	Servers    func() []string // addresses at which devices find the appliance
	Audit      *audit.Log
	Store      *state.Store
	Health     ui.Health
}

// Backend returns the console's view of the services. held is signalled when the
// list of held devices changed (see auth.Options.OnHeld).
func Backend(s Services, held <-chan struct{}) ui.Backend {
	return ui.Backend{
		Sessions:    sessions{s.Auth},
		Security:    security{s.Auth, s.Settings},
		Accounts:    accounts{s.Auth},
		Tokens:      tokens{s.Auth},
		Devices:     deviceList{s.Devices},
		Deployments: deployments{s.Engine},
		Sequences:   sequences{s.Library},
		Drafts:      draftStore{s.Drafts},
		Content:     contentItems{s.Content, s.Images, s.Uploads},
		Catalogues:  catalogues{s.Catalogues},
		Images:      bootImages{s.Images},
		Graph:       graphSettings{s.Graph},
		Windows:     windows{s.Images, s.Content, s.Servers},
		Audit:       auditLog{s.Audit},
		Health:      s.Health,
		Live:        live{s, held},
	}
}

func engineActor(by ui.Actor) engine.Actor {
	return engine.Actor{Name: by.Name, Address: by.Address.String()}
}

func deviceActor(by ui.Actor) devices.Actor {
	return devices.Actor{Name: by.Name, Address: by.Address.String()}
}

func authActor(by ui.Actor) auth.Actor {
	return auth.Actor{Name: by.Name, Address: by.Address.String()}
}

// translate turns a service's error into one that the console knows.
func translate(err error) error {
	var throttled *auth.ThrottledError
	var confirm *auth.ConfirmError
	var invalid *auth.InvalidError
	var field *engine.FieldError
	var problems tasksequence.Problems
	switch {
	case err == nil:
		return nil
	case errors.As(err, &throttled):
		return &ui.Throttled{RetryAfter: throttled.RetryAfter}
	case errors.As(err, &confirm):
		return &ui.Confirm{Field: confirm.Field, Text: confirm.Text}
	case errors.As(err, &invalid):
		return &ui.FieldError{Field: invalid.Field, Detail: invalid.Detail, CanForce: invalid.CanForce}
	case errors.As(err, &field):
		return &ui.FieldError{Field: field.Field, Detail: field.Detail}
	case errors.As(err, &problems):
		return &ui.FieldError{Field: "file", Detail: problems.Error()}
	case errors.Is(err, content.ErrInvalid):
		return contentField(err)
	case errors.Is(err, devices.ErrUnknownSequence):
		return &ui.FieldError{Field: "sequence", Detail: err.Error()}
	case errors.Is(err, devices.ErrInvalid):
		return &ui.Refused{Reason: err.Error()}
	case errors.Is(err, auth.ErrWrong):
		return ui.ErrWrong
	case errors.Is(err, auth.ErrDenied):
		return ui.ErrDenied
	case errors.Is(err, auth.ErrRole):
		return ui.ErrRole
	case errors.Is(err, auth.ErrCodeExpired):
		return ui.ErrLate
	case errors.Is(err, auth.ErrProvider):
		return fmt.Errorf("%w: %w", ui.ErrUnavailable, err)
	case errors.Is(err, auth.ErrNoToken), errors.Is(err, auth.ErrExpired):
		return ui.ErrSignedOut
	case errors.Is(err, state.ErrFull), errors.Is(err, bootimages.ErrNoSpace):
		return fmt.Errorf("%w: %w", ui.ErrReadOnly, err)
	case isAny(err, state.ErrNotFound, engine.ErrNotFound, drafts.ErrNotFound, content.ErrNotFound, auth.ErrNotFound, auth.ErrNoHold, devices.ErrNotFound):
		return fmt.Errorf("%w: %w", ui.ErrNotFound, err)
	}
	for _, refusal := range refusals() {
		if errors.Is(err, refusal) {
			return &ui.Refused{Reason: sentence(err, refusal)}
		}
	}
	return err
}

// refusals are the errors that tell a person why something cannot be done now.
func refusals() []error {
	return []error{auth.ErrLockout, auth.ErrLastAdministrator, auth.ErrSetupDone, auth.ErrExists, auth.ErrNotAllowed, engine.ErrEnded, engine.ErrUnfinished,
		engine.ErrNotActive, engine.ErrImmutable, engine.ErrTooLarge, drafts.ErrTooLarge, drafts.ErrTooMany,
		content.ErrInUse, content.ErrTooLarge, content.ErrRefused, content.ErrBusy, imaging.ErrClosed, imaging.ErrNotInThisVersion, imaging.ErrName, imaging.ErrNoWimboot, bootimages.ErrOption}
}

// sentence leaves out which part of the appliance failed at what: that is for logs.
func sentence(err, known error) string {
	text := err.Error()
	if i := strings.Index(text, known.Error()); i >= 0 {
		text = text[i:]
	}
	if text == "" {
		return text
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

func isAny(err error, list ...error) bool {
	for _, e := range list {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
