package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"slipway/agent/wire"
	"slipway/appliance/internal/content"
	"slipway/appliance/internal/socket"
	"slipway/fleet"
	"slipway/tasksequence"
)

// contentRoutes are the calls by which devices fetch content. People with an API
// token may look as well.
func (a *API) contentRoutes() []route {
	const version = prefix + "/content/{item}/{version}"
	return []route{
		{Method: "GET", Path: version, Access: DeviceOrViewer, Summary: "What a version of a content item holds; stream=tar: all its files as one tar stream, from=N: from the file of that index",
			Query: []string{"stream", "from"}, Out: wire.ContentManifest{}, Handle: a.contentManifest},
		{Method: "GET", Path: version + "/{file...}", Access: DeviceOrViewer, Summary: "The bytes of a file; Range, ETag is the quoted SHA-256", Out: raw{}, Handle: a.contentFile},
		{Method: "GET", Path: prefix + "/tools/{image}", Access: Device, Summary: "The tool pack of a boot image; Range", Out: raw{}, Handle: a.toolPack},
		{Method: "HEAD", Path: version + "/{file...}", Access: DeviceOrViewer, Summary: "Size and hash of a file", Out: raw{}, Handle: a.contentFile},
	}
}

// contentVersion reads the path and checks that the caller may have the version.
func (a *API) contentVersion(c *call) (ref tasksequence.Reference, err error) {
	n, err := versionParam(c)
	if err != nil {
		return ref, err
	}
	ref = tasksequence.Reference{ID: c.Param("item"), Version: n}
	if c.Token.Kind == fleet.TokenDevice {
		return ref, a.Engine.ReachesContent(c.Token, ref)
	}
	return ref, nil
}

func versionParam(c *call) (int, error) {
	n, err := strconv.Atoi(c.Param("version"))
	if err != nil || n < 1 {
		return 0, badRequest("A version is a number from 1.", err)
	}
	return n, nil
}

func (a *API) contentManifest(c *call) (any, error) {
	ref, err := a.contentVersion(c)
	if err != nil {
		return nil, err
	}
	switch c.Query("stream") {
	case "":
		return a.Content.Manifest(ref.ID, ref.Version)
	case "tar":
		return a.contentTar(c, ref)
	}
	return nil, badRequest("stream can only be tar.", nil)
}

// contentTar streams a folder. What goes wrong after its first byte leaves the archive
// without its end and the answer without its trailer.
func (a *API) contentTar(c *call, ref tasksequence.Reference) (any, error) {
	from, err := c.queryInt("from", 0)
	if err != nil {
		return nil, err
	}
	out := &stream{to: c.Writer}
	err = a.Content.Tar(c.ctx(), ref.ID, ref.Version, int(from), out)
	switch {
	case err == nil:
		c.Writer.Header().Set(socket.TrailerComplete, "yes")
		return written{}, nil
	case !out.begun:
		return nil, err
	}
	a.breakOff(c, ref, err)
	return written{}, nil
}

func (a *API) contentFile(c *call) (any, error) {
	ref, err := a.contentVersion(c)
	if err != nil {
		return nil, err
	}
	f, err := a.Content.Open(ref.ID, ref.Version, strings.TrimPrefix(c.Param("file"), "/"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Damage where the answer begins can still be told as such.
	if err := f.Prove(rangeStart(c.Request)); err != nil {
		a.Content.NoteDamage(ref.ID, ref.Version, err)
		return nil, err
	}
	h := c.Writer.Header()
	h.Set("ETag", `"`+f.SHA256+`"`)
	h.Set("Content-Type", "application/octet-stream")
	w := &guarded{ResponseWriter: c.Writer}
	http.ServeContent(w, c.Request, "", f.ModTime, &watched{File: f, failed: &w.err})
	if w.err != nil {
		a.breakOff(c, ref, w.err)
	}
	return written{}, nil
}

// rangeStart is the first byte that a request for one range asks for, else 0.
func rangeStart(r *http.Request) int64 {
	from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	if !ok {
		return 0
	}
	from, _, _ = strings.Cut(from, "-")
	n, err := strconv.ParseInt(from, 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// breakOff notes an answer that ends early. Its status has been sent: the caller sees
// a body that is shorter than announced, or a stream without its trailer.
func (a *API) breakOff(c *call, ref tasksequence.Reference, err error) {
	if c.ctx().Err() != nil {
		return // the caller went away
	}
	a.Content.NoteDamage(ref.ID, ref.Version, err)
	a.log.WarnContext(c.ctx(), "content was not sent to its end", slog.String("version", ref.String()), slog.Any("error", err))
}

// watched keeps the error of reading a file apart from one of sending it.
type watched struct {
	*content.File
	failed *error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.File.Read(p)
	if errors.Is(err, content.ErrDamaged) {
		*w.failed = err
	}
	return n, err
}

// guarded is the answer that a watched file goes to.
type guarded struct {
	http.ResponseWriter
	err error
}

// Unwrap gives http.ResponseController the writer below.
func (g *guarded) Unwrap() http.ResponseWriter { return g.ResponseWriter }

// contentProblem maps the errors of package content; nil for others.
func contentProblem(err error) *Problem {
	status := func(code int, word, detail string) *Problem {
		return &Problem{Status: code, Code: word, Detail: detail}
	}
	say := func(known error) string { return capital(sentence(err, known)) }
	switch {
	case errors.Is(err, content.ErrDamaged):
		return status(http.StatusConflict, "damaged", say(content.ErrDamaged))
	case errors.Is(err, content.ErrNotFound):
		return status(http.StatusNotFound, "not-found", say(content.ErrNotFound))
	case isAny(err, content.ErrInvalid):
		return status(http.StatusUnprocessableEntity, "invalid", strings.TrimPrefix(sentence(err, content.ErrInvalid), content.ErrInvalid.Error()+": "))
	case errors.Is(err, content.ErrRefused):
		return status(http.StatusUnprocessableEntity, "refused", say(content.ErrRefused))
	case errors.Is(err, content.ErrInUse):
		return status(http.StatusConflict, "in-use", say(content.ErrInUse))
	case errors.Is(err, content.ErrOffset):
		return status(http.StatusConflict, "offset", say(content.ErrOffset))
	case errors.Is(err, content.ErrTooLarge):
		return status(http.StatusRequestEntityTooLarge, "too-large", say(content.ErrTooLarge))
	case errors.Is(err, content.ErrBusy):
		return &Problem{Status: http.StatusServiceUnavailable, Code: "busy", Detail: say(content.ErrBusy), RetryAfter: contentBusy}
	}
	return nil
}

func capital(text string) string {
	if text == "" {
		return text
	}
	return fmt.Sprintf("%s%s.", strings.ToUpper(text[:1]), strings.TrimSuffix(text[1:], "."))
}
