package ui

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"slipway/ui/internal/view"
)

// fail is the one place where an error becomes an answer. What is not the
// visitor's doing is logged once, with the reference the page shows.
func (c *Console) fail(v *visit, err error) {
	if v.r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the browser left
	}
	var to elsewhere
	if errors.As(err, &to) {
		http.Redirect(v.w, v.r, string(to), http.StatusSeeOther)
		return
	}
	status, m := explain(v, err)
	if status >= http.StatusInternalServerError {
		m.Reference = v.id
		c.log.ErrorContext(v.ctx(), "console request failed", slog.String("reference", v.id),
			slog.String("method", v.r.Method), slog.String("path", v.r.URL.Path), slog.Any("error", err))
	}
	var wait *Throttled
	if errors.As(err, &wait) {
		v.w.Header().Set("Retry-After", strconv.Itoa(seconds(wait.RetryAfter)))
	}
	if drawErr := c.draw(v, status, view.Message(c.bare(v, m.Title), m)); drawErr != nil {
		c.log.ErrorContext(v.ctx(), "drawing an error page", slog.Any("error", drawErr))
		http.Error(v.w, "Something went wrong.", http.StatusInternalServerError)
	}
}

// explain puts an error into words.
func explain(v *visit, err error) (int, view.MessageView) {
	var refused *Refused
	var wait *Throttled
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound, view.MessageView{Title: "Not found", Text: "There is no such page or thing here. It may have been removed.", Next: "To the overview", Href: "/"}
	case errors.Is(err, errSignIn):
		return http.StatusUnauthorized, view.MessageView{Title: "Signed out", Text: "Sign in again to go on.", Next: "Sign in", Href: "/login"}
	case errors.Is(err, errNotAllowed):
		return http.StatusForbidden, view.MessageView{Title: "Your role does not allow this",
			Text: "You are signed in as " + v.account.Name + ", " + view.RoleText(v.account.Role) + ". An administrator can do this, or give you another role.", Next: "To the overview", Href: "/"}
	case errors.Is(err, errForm):
		return http.StatusForbidden, view.MessageView{Title: "Please send the form again",
			Text: "It was not sent from this console, or the page was open since before the last sign-in. Nothing was changed.", Next: "Back", Href: ownPath(v.r.URL.Path)}
	case errors.Is(err, errTooLarge):
		return http.StatusRequestEntityTooLarge, view.MessageView{Title: "Too large", Text: "What was sent is larger than this form takes. Nothing was changed."}
	case errors.Is(err, ErrReadOnly):
		return http.StatusInsufficientStorage, view.MessageView{Title: "Changes cannot be stored now",
			Text: "Most likely the appliance's disk is full. Devices still get their boot files. Free some space; it goes on by itself.", Next: "Check health", Href: "/"}
	case errors.As(err, &wait):
		return http.StatusTooManyRequests, view.MessageView{Title: "Too many attempts", Text: waitText(wait)}
	case errors.As(err, &refused):
		return http.StatusConflict, view.MessageView{Title: "That cannot be done now", Text: refused.Reason, Next: "To the overview", Href: "/"}
	}
	return http.StatusInternalServerError, view.MessageView{Title: "Something went wrong",
		Text: "The appliance could not answer. Try again; if it stays, look into its log.", Next: "To the overview", Href: "/"}
}

func waitText(t *Throttled) string {
	return "Too many attempts. Wait " + view.Count(seconds(t.RetryAfter), "second", "seconds") + ", then try again."
}

func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// inForm splits what a form's handler can show beside its fields from what is
// a page of its own. ok is false for the latter.
func inForm(err error) (field, text string, canForce, ok bool) {
	var fe *FieldError
	var refused *Refused
	var wait *Throttled
	switch {
	case errors.As(err, &fe):
		return fe.Field, fe.Detail, fe.CanForce, true
	case errors.As(err, &refused):
		return "", refused.Reason, false, true
	case errors.As(err, &wait):
		return "", waitText(wait), false, true
	}
	return "", "", false, false
}

func (c *Console) showMissing(*visit) error { return ErrNotFound }
