package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/audit"
	"slipway/appliance/internal/auth"
	"slipway/appliance/internal/backup"
	"slipway/appliance/internal/catalogue"
	"slipway/appliance/internal/content"
	"slipway/appliance/internal/devices"
	"slipway/appliance/internal/domainjoin"
	"slipway/appliance/internal/engine"
	"slipway/appliance/internal/graph"
	"slipway/appliance/internal/imaging"
	"slipway/appliance/internal/pki"
	"slipway/appliance/internal/settings"
	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/tasksequence"
)

// Services are what the handlers ask.
type Services struct {
	Auth    *auth.Service
	Devices *devices.Admin
	Engine  *engine.Engine
	Library *engine.Library
	Images  *imaging.Service
	Content *content.Service
	Graph   *graph.Service
	Joins   *domainjoin.Service

	Catalogue *catalogue.Service
	Audit     *audit.Log
	Settings  *settings.Service
	Metrics   http.Handler
	CA        func() []byte // the authority's certificates, PEM
	Agent     func() AgentConfig
	Rotation  *pki.Rotation
	Ready     func(context.Context) error

	Backups      *backup.Writer
	RotateSecret func(context.Context) (dataKeys int, err error)
}

// serviceProblem maps the errors of our services to their answers; nil for an
// error that nobody foresaw.
func serviceProblem(err error) *Problem {
	var throttled *auth.ThrottledError
	var invalid *auth.InvalidError
	var confirm *auth.ConfirmError
	var field *engine.FieldError
	var secret *bootimages.SecretError
	var variables devices.VariableErrors
	var problems tasksequence.Problems
	status := func(code int, word, detail string) *Problem {
		return &Problem{Status: code, Code: word, Detail: detail}
	}
	switch {
	case errors.As(err, &throttled):
		return &Problem{Status: http.StatusTooManyRequests, Code: "throttled", RetryAfter: throttled.RetryAfter, HoldCode: throttled.HoldCode,
			Detail: "Too many attempts. Wait before the next one."}
	case errors.As(err, &invalid):
		return &Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: invalid.Detail, Fields: []wire.FieldError{{Field: invalid.Field, Detail: invalid.Detail}}}
	case errors.As(err, &confirm):
		return &Problem{Status: http.StatusConflict, Code: "confirm", Detail: confirm.Text + " Send it again with confirm to go on.", Fields: []wire.FieldError{{Field: confirm.Field, Detail: confirm.Text}}}
	case errors.As(err, &field):
		return &Problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Detail: field.Detail, Fields: []wire.FieldError{{Field: field.Field, Detail: field.Detail}}}
	case errors.As(err, &problems):
		return &Problem{Status: http.StatusUnprocessableEntity, Code: "sequence", Detail: "The task sequence cannot be taken as it is.", Fields: fieldsOf(problems)}
	case errors.As(err, &variables):
		return variablesProblem(variables)
	case isAny(err, settings.ErrInvalid, devices.ErrInvalid, devices.ErrUnknownSequence, devices.ErrAmbiguous):
		return status(http.StatusUnprocessableEntity, "invalid", err.Error())
	case errors.Is(err, devices.ErrTooMany):
		return &Problem{Status: http.StatusServiceUnavailable, Code: "busy", Detail: "Too many new devices at once; try again.", RetryAfter: 10 * time.Second}
	case errors.As(err, &secret):
		return status(http.StatusUnprocessableEntity, "secrets", secret.Error())
	case isAny(err, auth.ErrNoToken, auth.ErrExpired, auth.ErrBinding, engine.ErrSignedOut):
		return status(http.StatusUnauthorized, "token", "A valid token is needed: sign in.")
	case errors.Is(err, auth.ErrWrong):
		return status(http.StatusUnauthorized, "not-accepted", "Not accepted.")
	case errors.Is(err, auth.ErrDenied):
		return status(http.StatusForbidden, "denied", "The sign-in was denied.")
	case errors.Is(err, auth.ErrRole):
		return status(http.StatusForbidden, "role", "You are signed in, but have no role that may deploy. Ask an administrator for it.")
	case errors.Is(err, auth.ErrCodeExpired):
		return status(http.StatusGone, "expired", "The code has expired: start again.")
	case errors.Is(err, auth.ErrProvider):
		return &Problem{Status: http.StatusServiceUnavailable, Code: "provider", Detail: "The sign-in provider does not answer.", RetryAfter: 5 * time.Second}
	case errors.Is(err, auth.ErrLockout):
		return status(http.StatusConflict, "lockout", sentence(err, auth.ErrLockout))
	case isAny(err, auth.ErrNotAllowed, engine.ErrForbidden):
		return status(http.StatusForbidden, "not-allowed", "This is not allowed here.")
	case isAny(err, auth.ErrNotFound, auth.ErrNoHold, engine.ErrNotFound, imaging.ErrUnknownBuild, state.ErrNotFound, devices.ErrNotFound):
		return status(http.StatusNotFound, "not-found", missingWords)
	case errors.Is(err, auth.ErrLastAdministrator):
		return status(http.StatusConflict, "conflict", "This is the last administrator: make another one first.")
	case errors.Is(err, auth.ErrExists):
		return status(http.StatusConflict, "conflict", "This name is taken.")
	case isAny(err, devices.ErrBusy, auth.ErrSetupDone, engine.ErrEnded, engine.ErrUnfinished, engine.ErrNotActive, engine.ErrImmutable):
		return status(http.StatusConflict, "conflict", err.Error())
	case isAny(err, bootimages.ErrNoXorriso, imaging.ErrNoImage, bootimages.ErrNoSource, bootimages.ErrNoPackage, bootimages.ErrCorrupt):
		return status(http.StatusConflict, "image", err.Error())
	case isAny(err, engine.ErrStale, engine.ErrDifferent):
		return status(http.StatusConflict, "stale", err.Error())
	case isAny(err, engine.ErrTooLarge, state.ErrTooLarge):
		return status(http.StatusRequestEntityTooLarge, "too-large", err.Error())
	case isAny(err, state.ErrFull, bootimages.ErrNoSpace):
		return status(http.StatusInsufficientStorage, "full", "The appliance's disk is full: free some space in its data folder; writes resume by themselves.")
	case isAny(err, state.ErrNotReady, state.ErrConflict, state.ErrUnknown, state.ErrClosed, imaging.ErrClosed):
		return &Problem{Status: http.StatusServiceUnavailable, Code: "busy", Detail: "Not now; try again.", RetryAfter: time.Second}
	case isAny(err, bootimages.ErrOption, imaging.ErrNotInThisVersion, imaging.ErrName, imaging.ErrNoWimboot):
		return status(http.StatusUnprocessableEntity, "invalid", err.Error())
	case errors.Is(err, context.Canceled):
		return status(499, "gone", "The caller went away.")
	}
	if p := cmp.Or(graphProblem(err), joinProblem(err), catalogueProblem(err), stagingProblem(err)); p != nil {
		return p
	}
	return contentProblem(err)
}

// sentence is err's text from where the known error in it begins.
func sentence(err, known error) string {
	text := err.Error()
	if i := strings.Index(text, known.Error()); i >= 0 {
		text = text[i:]
	}
	return text
}

// fieldsOf names the step and field of each problem.
func fieldsOf(problems tasksequence.Problems) []wire.FieldError {
	var out []wire.FieldError
	for _, p := range problems {
		field, detail := p.Field, p.Detail
		if p.Step != "" {
			field = strings.TrimSuffix(p.Step+"."+p.Field, ".")
		}
		if p.Name != "" {
			detail = p.Name + ": " + detail
		}
		out = append(out, wire.FieldError{Field: field, Detail: strings.TrimSpace(detail + ". " + p.Remedy)})
	}
	return out
}
