package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// TrailerComplete is set behind the body of an answer that says so itself when it is
// whole.
const TrailerComplete = "Slipway-Complete"

// TrailerReason says in its place why an answer broke off.
const TrailerReason = "Slipway-Reason"

// Reason is an error as a trailer holds it: one line of printable ASCII.
func Reason(err error) string {
	text := strconv.QuoteToASCII(err.Error())
	return text[1:min(len(text)-1, 1000)]
}

// Whole calls method path with in as JSON and copies the answer to w as it comes. An
// answer without TrailerComplete is an error: it broke off. What w got is of no use
// then.
func (c *Client) Whole(ctx context.Context, method, path string, in any, w io.Writer) error {
	body, err := encode(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://slipway"+path, body)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return fmt.Errorf("the appliance's answer broke off: %w", err)
		}
		return problem(resp, data)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the appliance's answer: %w", err)
	}
	if resp.Trailer.Get(TrailerComplete) == "" {
		if reason := resp.Trailer.Get(TrailerReason); reason != "" {
			if text, err := strconv.Unquote(`"` + reason + `"`); err == nil {
				reason = text
			}
			return fmt.Errorf("the appliance broke off: %s", reason)
		}
		return errors.New("the appliance's answer broke off; its log says why")
	}
	return nil
}
