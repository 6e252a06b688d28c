package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"slipway/agent/wire"
)

// maxManifest bounds the manifest of a content version, in bytes.
const maxManifest = 512 << 20

// Stream sends a request and returns the answer, 200 to 299, for the caller to read
// and close. Other than with calls, nothing limits how long the body may take: the
// caller watches that it moves. size is the length of body, nil for none.
func (c *Client) Stream(ctx context.Context, method, path string, body io.Reader, size int64, headers ...string) (*http.Response, error) {
	req, err := c.request(ctx, method, path, nil)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Body, req.ContentLength = io.NopCloser(body), size
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.connection().Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return nil, problem(resp, text)
}

// ContentPath is the path of a content version, or of one of its files.
func ContentPath(item string, version int, file string) string {
	path := api + "/content/" + url.PathEscape(item) + "/" + strconv.Itoa(version)
	if file == "" {
		return path
	}
	for part := range strings.SplitSeq(file, "/") {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// ContentManifest asks what a content version holds, and checks that it can be.
func (c *Client) ContentManifest(ctx context.Context, item string, version int) (m wire.ContentManifest, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	path := ContentPath(item, version, "")
	resp, err := c.Stream(ctx, http.MethodGet, path, nil, 0)
	if err != nil {
		return m, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxManifest)).Decode(&m); err != nil {
		return m, fmt.Errorf("GET %s: the answer is not understood: %w", path, err)
	}
	return m, nil
}

// FindContent asks for content that the task sequence does not name itself.
func (c *Client) FindContent(ctx context.Context, id string, q wire.ContentQuery) (wire.ContentAnswer, error) {
	return ask[wire.ContentAnswer](ctx, c, http.MethodPost, deployment(id)+"/content", q)
}

// BeginUpload begins an upload, or finds the one of that key again.
func (c *Client) BeginUpload(ctx context.Context, id string, in wire.ContentUpload) (wire.UploadState, error) {
	return ask[wire.UploadState](ctx, c, http.MethodPost, deployment(id)+"/uploads", in)
}

// SendUpload sends the bytes at an offset. What was kept from there on is replaced.
func (c *Client) SendUpload(ctx context.Context, id, upload string, offset int64, body io.Reader, size int64) (out wire.UploadState, err error) {
	path := uploadPath(id, upload) + "?offset=" + strconv.FormatInt(offset, 10)
	resp, err := c.Stream(ctx, http.MethodPatch, path, body, size)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return out, fmt.Errorf("PATCH %s: read the answer: %w", path, err)
	}
	return out, understand(http.MethodPatch, path, text, &out)
}

// CommitUpload makes the version of what was sent. Sent again it answers the same.
func (c *Client) CommitUpload(ctx context.Context, id, upload string, in wire.UploadCommit) (wire.ContentVersion, error) {
	return ask[wire.ContentVersion](ctx, c, http.MethodPost, uploadPath(id, upload)+"/commit", in)
}

// DropUpload removes what was sent.
func (c *Client) DropUpload(ctx context.Context, id, upload string) error {
	return c.call(ctx, http.MethodDelete, uploadPath(id, upload), nil, nil)
}

func uploadPath(id, upload string) string {
	return deployment(id) + "/uploads/" + url.PathEscape(upload)
}
