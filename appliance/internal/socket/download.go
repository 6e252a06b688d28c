package socket

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Download gets path and copies the answer to w as it comes, after begun has seen
// the answer's headers and size in bytes (-1: not known). An answer that is shorter
// than announced is an error; what w got is of no use then.
func (c *Client) Download(ctx context.Context, path string, begun func(http.Header, int64), w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://slipway"+path, nil)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
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
	begun(resp.Header, resp.ContentLength)
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the appliance's answer: %w", err)
	}
	return nil
}
