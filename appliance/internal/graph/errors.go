package graph

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// What callers decide on. Test with errors.Is.
var (
	// ErrNotSet: tenant, client id, or secret and certificate are missing.
	ErrNotSet = errors.New("the connection to Microsoft Graph is not set up")
	// ErrUnavailable: no answer, or one that says that the service is in trouble.
	ErrUnavailable = errors.New("no answer from Microsoft Graph")
	// ErrSignIn: the tenant does not accept the application.
	ErrSignIn = errors.New("the sign-in at the tenant failed")
	// ErrDenied: the application is not permitted to do this.
	ErrDenied = errors.New("the application is not permitted to do this")
	// ErrAutopilot: the device cannot be registered; asking again does not help.
	ErrAutopilot = errors.New("the device cannot be registered with Autopilot")
)

// InvalidError says what is wrong with one setting or field.
type InvalidError struct {
	Field  string
	Detail string // a sentence that says what to do
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Detail }

// ThrottledError says that Microsoft's service asks to be left alone for a while.
type ThrottledError struct{ After time.Duration }

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("Microsoft's service asks to wait %d s", int(e.After.Seconds()))
}

// ResponseError is an answer that says no.
type ResponseError struct {
	Status  int
	Code    string // of Graph's error document
	Message string
}

func (e *ResponseError) Error() string {
	text := fmt.Sprintf("HTTP %d", e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// sentinel is what the status stands for; nil for one that says nothing more.
func (e *ResponseError) sentinel() error {
	switch {
	case e.Status == http.StatusUnauthorized:
		return ErrSignIn
	case e.Status == http.StatusForbidden:
		return ErrDenied
	case e.Status >= 500:
		return ErrUnavailable
	}
	return nil
}

const maxReason = 400 // characters of the service's words

// plain is text of the service on one line, bounded, and without what cannot be seen.
func plain(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), 8*maxReason)], "?")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > maxReason {
		text = string(r[:maxReason]) + "…"
	}
	return text
}
