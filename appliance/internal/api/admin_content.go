package api

import (
	"net/http"
	"strings"
	"time"

	"slipway/agent/wire"
	"slipway/appliance/internal/content"
	"slipway/fleet"
)

// contentBusy is when a caller may ask again who found too much going on.
const contentBusy = 5 * time.Second

// The bodies and answers of the content calls.

// ContentItem is an item with its versions, newest first.
type ContentItem struct {
	fleet.ContentItem
	Versions []fleet.ContentVersion `json:"versions"`
}

// ContentItems are all items, by name.
type ContentItems struct {
	Items []ContentItem `json:"items"`
}

// AddContent asks for a new version of an item; one of path, url and uploads says
// where the bytes are.
type AddContent struct {
	Name         string            `json:"name"` // of the item, or its id; a new name makes a new item
	Description  string            `json:"description,omitempty"`
	Purpose      string            `json:"purpose,omitempty"` // needed for a new item
	Tags         []string          `json:"tags,omitempty"`
	Manufacturer string            `json:"manufacturer,omitempty"`
	Models       []string          `json:"models,omitempty"`
	Command      string            `json:"command,omitempty"` // an application's installation command line
	Status       string            `json:"status,omitempty"`  // default active
	Path         string            `json:"path,omitempty"`    // on the appliance's disk; only on its local socket
	URL          string            `json:"url,omitempty"`
	SHA256       string            `json:"sha256,omitempty"` // that the file from the URL must have
	Uploads      []UploadedContent `json:"uploads,omitempty"`
	AsIs         bool              `json:"asIs,omitempty"`         // nothing is converted
	KeepOriginal bool              `json:"keepOriginal,omitempty"` // a disk image is kept beside its converted form
}

// UploadedContent is a finished upload and what it is called in the version.
type UploadedContent struct {
	ID   string `json:"id"`
	Path string `json:"path"`
}

// ChangeContent changes an item; what is left out stays.
type ChangeContent struct {
	Name         *string   `json:"name,omitempty"`
	Description  *string   `json:"description,omitempty"`
	Tags         *[]string `json:"tags,omitempty"`
	Manufacturer *string   `json:"manufacturer,omitempty"`
	Models       *[]string `json:"models,omitempty"`
}

// ContentStatus changes the status of a version.
type ContentStatus struct {
	Status string `json:"status"`
}

// VerifyContent asks for content at rest to be read again: all, one item's or one version.
type VerifyContent struct {
	Item    string `json:"item,omitempty"`
	Version int    `json:"version,omitempty"`
}

// ContentJobs are imports and verifications, newest first.
type ContentJobs struct {
	Jobs []content.Job `json:"jobs"`
}

// adminContentRoutes are what people do with content.
func (a *API) adminContentRoutes() []route {
	const items = admin + "/content"
	return []route{
		{Method: "GET", Path: items, Access: Viewer, Summary: "Content items with their versions", Out: ContentItems{}, Handle: a.listContent},
		{Method: "POST", Path: items, Access: Technician, Summary: "Add a version to an item, or a new item; the answer is a job", In: AddContent{}, Out: content.Job{}, Status: http.StatusAccepted, Handle: a.addContent},
		{Method: "GET", Path: items + "/{item}", Access: Viewer, Summary: "A content item, by id or name", Out: ContentItem{}, Handle: a.getContent},
		{Method: "PATCH", Path: items + "/{item}", Access: Technician, Summary: "Change a content item", In: ChangeContent{}, Out: fleet.ContentItem{}, Handle: a.changeContent},
		{Method: "GET", Path: admin + "/content/{item}/versions/{version}/images", Access: Viewer, Summary: "The images in the WIM and ESD files of a version, read from the files themselves", Out: ContentImages{}, Handle: a.contentImages},
		{Method: "PUT", Path: items + "/{item}/versions/{version}/status", Access: Technician, Summary: "Change the status of a version", In: ContentStatus{}, Out: fleet.ContentVersion{}, Handle: a.contentStatus},
		{Method: "DELETE", Path: items + "/{item}", Access: Technician, Summary: "Delete an item with all its versions, unless something needs one", Handle: func(c *call) (any, error) {
			return nil, a.Content.Delete(c.ctx(), contentActor(c), c.Param("item"), 0)
		}},
		{Method: "DELETE", Path: items + "/{item}/versions/{version}", Access: Technician, Summary: "Delete a version, unless something needs it", Handle: a.deleteContent},
		{Method: "GET", Path: admin + "/content-jobs", Access: Viewer, Summary: "Imports and verifications, newest first", Out: ContentJobs{}, Handle: func(*call) (any, error) {
			return ContentJobs{nonNil(a.Content.Jobs())}, nil
		}},
		{Method: "POST", Path: admin + "/content-jobs/verify", Access: Technician, Summary: "Read content at rest again and compare it with its hashes; the answer is a job", In: VerifyContent{}, Out: content.Job{}, Status: http.StatusAccepted, Handle: a.verifyContent},
		{Method: "GET", Path: admin + "/content-jobs/{id}", Access: Viewer, Summary: "An import or verification as it stands", Out: content.Job{}, Handle: func(c *call) (any, error) {
			return a.Content.Job(c.Param("id"))
		}},
		{Method: "DELETE", Path: admin + "/content-jobs/{id}", Access: Technician, Summary: "Stop an import or verification", Handle: func(c *call) (any, error) {
			return nil, a.Content.Cancel(c.Param("id"))
		}},
	}
}

// contentUploadRoutes are the calls of the tus protocol 1.0: POST begins an upload,
// HEAD tells how much is kept, PATCH goes on, DELETE forgets it. What is complete is
// named in the uploads of POST /admin/content.
func (a *API) contentUploadRoutes() []route {
	const one = contentUploads + "{upload}"
	list := []route{{Method: "POST", Path: strings.TrimSuffix(contentUploads, "/"), Summary: "Begin an upload (tus)", Status: http.StatusCreated},
		{Method: "HEAD", Path: one, Summary: "How much of an upload is kept (tus)"},
		{Method: "PATCH", Path: one, Summary: "Go on with an upload (tus)", MaxBody: wire.MaxContentSize},
		{Method: "DELETE", Path: one, Summary: "Forget an upload (tus)"}}
	for i := range list {
		list[i].Access, list[i].Handle = Technician, a.contentUpload
	}
	return list
}

// contentUploads is where uploads of scripts stand.
const contentUploads = admin + "/content-uploads/"

func (a *API) contentUpload(c *call) (any, error) {
	a.tus.ServeHTTP(c.Writer, c.Request.WithContext(content.WithOwner(c.ctx(), c.Actor)))
	return written{}, nil
}

func (a *API) deleteContent(c *call) (any, error) {
	version, err := versionParam(c)
	if err != nil {
		return nil, err
	}
	return nil, a.Content.Delete(c.ctx(), contentActor(c), c.Param("item"), version)
}

func contentActor(c *call) content.Actor { return content.Actor{Name: c.Actor, Address: addressOf(c)} }

func (a *API) listContent(*call) (any, error) {
	list, err := a.Content.List()
	out := ContentItems{Items: []ContentItem{}}
	for _, i := range list {
		out.Items = append(out.Items, ContentItem{i.ContentItem, nonNil(i.Versions)})
	}
	return out, err
}

func (a *API) getContent(c *call) (any, error) {
	i, err := a.Content.Item(c.Param("item"))
	return ContentItem{i.ContentItem, nonNil(i.Versions)}, err
}

func (a *API) addContent(c *call) (any, error) {
	var in AddContent
	if err := c.body(&in); err != nil {
		return nil, err
	}
	// Whoever names a path of the appliance can have any file of it put before
	// devices. That takes more than a token.
	if !c.Local && in.Path != "" {
		return nil, &Problem{Status: http.StatusForbidden, Code: "local-only",
			Detail: "A path of the appliance can only be named on the appliance itself: slipway content add. Upload the file instead."}
	}
	request := content.Import{Name: in.Name, Description: in.Description, Purpose: in.Purpose, Tags: in.Tags, Manufacturer: in.Manufacturer,
		Models: in.Models, Command: in.Command, Status: in.Status, Path: in.Path, URL: in.URL, SHA256: in.SHA256, AsIs: in.AsIs, KeepOriginal: in.KeepOriginal}
	for _, u := range in.Uploads {
		request.Uploads = append(request.Uploads, content.Uploaded(u))
	}
	return a.Content.Import(c.ctx(), contentActor(c), request)
}

func (a *API) contentImages(c *call) (any, error) {
	version, err := versionParam(c)
	if err != nil {
		return nil, err
	}
	item, err := a.Content.Item(c.Param("item"))
	if err != nil {
		return nil, err
	}
	list, err := a.Content.WindowsImages(item.ID, version)
	out := ContentImages{Files: []ContentImagesFile{}}
	for _, w := range list {
		f := ContentImagesFile{Path: w.Path, Images: nonNil(w.Images)}
		if w.Err != nil {
			f.Error = w.Err.Error()
		}
		out.Files = append(out.Files, f)
	}
	return out, err
}

func (a *API) changeContent(c *call) (any, error) {
	var in ChangeContent
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return a.Content.SetItem(c.ctx(), contentActor(c), c.Param("item"), content.Change(in))
}

func (a *API) contentStatus(c *call) (any, error) {
	var in ContentStatus
	if err := c.body(&in); err != nil {
		return nil, err
	}
	version, err := versionParam(c)
	if err != nil {
		return nil, err
	}
	return a.Content.SetStatus(c.ctx(), contentActor(c), c.Param("item"), version, in.Status)
}

func (a *API) verifyContent(c *call) (any, error) {
	var in VerifyContent
	if err := c.body(&in); err != nil {
		return nil, err
	}
	return a.Content.Verify(c.ctx(), contentActor(c), in.Item, in.Version)
}
