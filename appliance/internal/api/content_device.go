package api

import (
	"slipway/agent/wire"
	"slipway/appliance/internal/content"
)

// deploymentContentRoutes are what a device asks and sends of content while its
// deployment goes on.
func (a *API) deploymentContentRoutes() []route {
	const uploads = prefix + "/deployments/{id}/uploads"
	return []route{
		{Method: "POST", Path: prefix + "/deployments/{id}/content", Access: Device, Summary: "Find content that the task sequence does not name itself; the answer is pinned to the deployment",
			In: wire.ContentQuery{}, Out: wire.ContentAnswer{}, Handle: a.findContent},
		{Method: "POST", Path: uploads, Access: Device, Summary: "Begin an upload, or find the one of that key again", In: wire.ContentUpload{}, Out: wire.UploadState{}, Handle: a.beginUpload},
		{Method: "GET", Path: uploads + "/{upload}", Access: Device, Summary: "How much of an upload is kept", Out: wire.UploadState{}, Handle: a.uploadState},
		{Method: "PATCH", Path: uploads + "/{upload}", Access: Device, Summary: "Send a piece at an offset; what was kept from there on is replaced", Query: []string{"offset"}, Out: wire.UploadState{}, MaxBody: content.MaxPiece + 1, Handle: a.sendUpload},
		{Method: "POST", Path: uploads + "/{upload}/commit", Access: Device, Summary: "Make a version of an upload", In: wire.UploadCommit{}, Out: wire.ContentVersion{}, Handle: a.commitUpload},
		{Method: "DELETE", Path: uploads + "/{upload}", Access: Device, Summary: "Forget an upload", Handle: a.dropUpload},
	}
}

// ownDeployment returns the id of the path when it is the caller's and goes on.
func (a *API) ownDeployment(c *call) (string, error) {
	d, err := a.Engine.OwnUnfinished(c.Token, c.Param("id"))
	return d.ID, err
}

func (a *API) findContent(c *call) (any, error) {
	var in wire.ContentQuery
	if err := c.lenientBody(&in); err != nil {
		return nil, err
	}
	id, err := a.ownDeployment(c)
	if err != nil {
		return nil, err
	}
	return a.Content.Find(c.ctx(), id, in)
}

func (a *API) beginUpload(c *call) (any, error) {
	var in wire.ContentUpload
	if err := c.lenientBody(&in); err != nil {
		return nil, err
	}
	id, err := a.ownDeployment(c)
	if err != nil {
		return nil, err
	}
	return a.Content.Begin(c.ctx(), id, in)
}

func (a *API) uploadState(c *call) (any, error) {
	id, err := a.ownDeployment(c)
	if err != nil {
		return nil, err
	}
	return a.Content.UploadState(id, c.Param("upload"))
}

func (a *API) sendUpload(c *call) (any, error) {
	id, err := a.ownDeployment(c)
	if err != nil {
		return nil, err
	}
	offset, err := c.queryInt("offset", 0)
	if err != nil {
		return nil, err
	}
	return a.Content.Append(c.ctx(), id, c.Param("upload"), offset, c.Request.Body)
}

func (a *API) commitUpload(c *call) (any, error) {
	var in wire.UploadCommit
	if err := c.lenientBody(&in); err != nil {
		return nil, err
	}
	id, err := a.ownDeployment(c)
	if err != nil {
		return nil, err
	}
	by := content.Actor{Name: "device", Address: addressOf(c), Device: c.Token.DeviceID}
	return a.Content.Commit(c.ctx(), by, id, c.Param("upload"), in)
}

func (a *API) dropUpload(c *call) (any, error) {
	id, err := a.ownDeployment(c)
	if err != nil {
		return nil, err
	}
	return nil, a.Content.Drop(id, c.Param("upload"))
}
