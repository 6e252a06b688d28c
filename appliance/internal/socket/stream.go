package socket

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// maxProblem bounds an error answer, in bytes.
const maxProblem = 1 << 20

// Stream calls method path and copies the answer to w as it comes. What w got
// before an error is a part of the answer only.
func (c *Client) Stream(ctx context.Context, method, path string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://slipway"+path, nil)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		data, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
		if err != nil {
			return fmt.Errorf("the appliance's answer broke off: %w", err)
		}
		return problem(resp, data)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the appliance's answer broke off, it is not whole: %w", err)
	}
	return nil
}
