package api

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"slipway/agent/wire"
)

// Problem is an error that knows its HTTP answer. Detail is shown to the caller;
// the cause is logged, never shown.
type Problem struct {
	Status     int
	Code       string // word behind "urn:slipway:problem:"; empty: about:blank
	Detail     string
	RetryAfter time.Duration
	HoldCode   string
	Fields     []wire.FieldError
	Cause      error
}

// Error is the detail and the cause.
func (p *Problem) Error() string {
	text := http.StatusText(p.Status)
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	if p.Cause != nil {
		text += ": " + p.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

func badRequest(detail string, cause error) *Problem {
	return &Problem{Status: http.StatusBadRequest, Code: "bad-request", Detail: detail, Cause: cause}
}

// document is the RFC 9457 form of p.
func (p *Problem) document(requestID string) wire.Problem {
	doc := wire.Problem{Type: "about:blank", Title: http.StatusText(p.Status), Status: p.Status, Detail: p.Detail,
		HoldCode: p.HoldCode, Errors: p.Fields}
	if p.Code != "" {
		doc.Type = "urn:slipway:problem:" + p.Code
	}
	if requestID != "" {
		doc.Instance = "urn:slipway:request:" + requestID
	}
	return doc
}

// respond is the one place where an error becomes an answer: internals are
// hidden, and what is our fault is logged once.
func (a *API) respond(c *gin.Context, err error) {
	p := a.problemOf(err)
	id := c.GetString(requestIDKey)
	if p.Status >= 500 && p.Status != http.StatusInsufficientStorage && p.Status != http.StatusServiceUnavailable {
		a.log.LogAttrs(c, slog.LevelError, "request failed",
			slog.String("request", id), slog.String("method", c.Request.Method), slog.String("route", c.FullPath()), slog.Any("error", err))
	}
	if p.RetryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		c.Header("WWW-Authenticate", `Bearer realm="slipway"`)
	}
	doc := p.document(id)
	if doc.Detail == missingWords {
		doc.Detail = missing(c)
	}
	c.Header("Content-Type", "application/problem+json")
	c.AbortWithStatusJSON(p.Status, doc)
}

// problemOf finds the problem for an error of any of our services.
func (a *API) problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	if p := serviceProblem(err); p != nil {
		p.Cause = err
		return p
	}
	return &Problem{Status: http.StatusInternalServerError, Code: "internal",
		Detail: "Something went wrong inside the appliance; its log has the details under this request's id.", Cause: err}
}
