package api

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"slipway/appliance/internal/devices"
	"slipway/appliance/internal/engine"
	"slipway/appliance/internal/imaging"
	"slipway/bootimages"
	"slipway/fleet"
	"slipway/tasksequence"
)

// maxDocument bounds an imported sequence, in bytes.
const maxDocument = 8 << 20

// sequenceRoutes are the library of sequences.
func (a *API) sequenceRoutes() []route {
	return []route{
		{Method: "GET", Path: admin + "/sequences", Access: Viewer, Summary: "Every version of every sequence", Out: Sequences{}, Handle: a.listSequences},
		{Method: "POST", Path: admin + "/sequences", Access: Administrator, Summary: "Import a sequence (JSON or YAML)", In: tasksequence.Sequence{}, Out: Sequence{}, Status: http.StatusCreated, MaxBody: maxDocument, Handle: a.importSequence},
		{Method: "POST", Path: admin + "/sequences/validation", Access: Viewer, Summary: "Say all that is wrong with a sequence (JSON or YAML), and what may go wrong, without importing it", In: tasksequence.Sequence{}, Out: SequenceProblems{}, MaxBody: maxDocument, Handle: a.validateSequence},
		{Method: "GET", Path: admin + "/sequences/{id}", Access: Viewer, Summary: "Export a sequence: id, or id:version", Query: []string{"format"}, Out: raw{}, Handle: a.exportSequence},
	}
}

func (a *API) listSequences(c *call) (any, error) {
	list, err := a.Library.List()
	if err != nil {
		return nil, err
	}
	out := Sequences{Sequences: []Sequence{}}
	for _, s := range list {
		out.Sequences = append(out.Sequences, listed(s))
	}
	return out, nil
}

func listed(s fleet.Sequence) Sequence {
	return Sequence{ID: s.ID, Version: s.Version, Name: s.Name, Description: s.Description, Status: s.Status, UpdatedAt: s.UpdatedAt}
}

func (a *API) importSequence(c *call) (any, error) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return nil, &Problem{Status: http.StatusRequestEntityTooLarge, Code: "too-large", Detail: "A sequence has at most 8 MiB.", Cause: err}
	}
	s, err := a.Library.Import(c.ctx(), a.engineActor(c), body)
	if err != nil {
		return nil, err
	}
	return listed(s), nil
}

func (a *API) validateSequence(c *call) (any, error) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return nil, &Problem{Status: http.StatusRequestEntityTooLarge, Code: "too-large", Detail: "A sequence has at most 8 MiB.", Cause: err}
	}
	return SequenceProblems{Problems: nonNil(a.Library.Validate(body))}, nil
}

func (a *API) exportSequence(c *call) (any, error) {
	id, version, err := reference(c.Param("id"))
	if err != nil {
		return nil, err
	}
	format := c.DefaultQuery("format", "json")
	body, err := a.Library.Export(id, version, format)
	if err != nil {
		return nil, err
	}
	return raw{"application/" + format, body}, nil
}

// reference reads "id" (version 0: the newest) or "id:version".
func reference(text string) (id string, version int, err error) {
	id, v, has := strings.Cut(text, ":")
	if !has {
		return id, 0, nil
	}
	version, err = strconv.Atoi(v)
	if err != nil || version < 1 {
		return "", 0, badRequest("A version is a number from 1, as in id:2.", err)
	}
	return id, version, nil
}

// imageRoutes are boot images and their builds.
func (a *API) imageRoutes() []route {
	return []route{
		{Method: "GET", Path: admin + "/images", Access: Viewer, Summary: "Boot images", Out: Images{}, Handle: func(c *call) (any, error) {
			list, err := a.Images.List()
			return Images{nonNil(list)}, err
		}},
		{Method: "GET", Path: admin + "/images/builds", Access: Viewer, Summary: "Image builds, newest first", Out: Builds{}, Handle: func(*call) (any, error) {
			return Builds{nonNil(a.Images.Builds())}, nil
		}},
		{Method: "POST", Path: admin + "/images/builds", Access: Administrator, Summary: "Build a boot image, or join the build under way", In: BuildImage{}, Out: fleet.ImageBuild{}, Status: http.StatusAccepted, Handle: a.buildImage},
		{Method: "GET", Path: admin + "/images/builds/{id}", Access: Viewer, Summary: "A build and its progress", Out: fleet.ImageBuild{}, Handle: func(c *call) (any, error) {
			return a.Images.BuildStatus(c.Param("id"))
		}},
		{Method: "GET", Path: admin + "/images/report", Access: Viewer, Summary: "What a Windows PE image is made of and can do (default: the one served to x64 machines)", Query: []string{"image"}, Out: ImageReport{}, Handle: func(c *call) (any, error) {
			id, r, err := a.Images.Report(c.Query("image"))
			if err != nil {
				return nil, err
			}
			return ImageReport{Image: id, Report: r, Script: r.Script()}, nil
		}},
		{Method: "GET", Path: admin + "/images/sources", Access: Viewer, Summary: "Windows ISOs and WIMs in the appliance's folder for them, which builds may name as sources:NAME", Out: ImageSources{}, Handle: func(*call) (any, error) {
			list, err := a.Images.Sources()
			return ImageSources{nonNil(list)}, err
		}},
		{Method: "GET", Path: admin + "/images/wimboot", Access: Viewer, Summary: "The wimboot that the administrator added", Out: imaging.Wimboot{}, Handle: func(*call) (any, error) {
			return a.Images.Wimboot()
		}},
		{Method: "PUT", Path: admin + "/images/wimboot", Access: Administrator, Summary: "Add wimboot: the body is the file, of a release of the wimboot project", In: raw{}, Out: imaging.Wimboot{}, MaxBody: imaging.MaxWimboot, Handle: func(c *call) (any, error) {
			w, err := a.Images.AddWimboot(c.ctx(), imagingActor(c), c.Request.Body)
			if p := tooLarge(err); p != nil {
				return nil, p
			}
			return w, err
		}},
		{Method: "DELETE", Path: admin + "/images/wimboot", Access: Administrator, Summary: "Remove wimboot", Handle: func(c *call) (any, error) {
			return nil, a.Images.RemoveWimboot(c.ctx(), imagingActor(c))
		}},
		{Method: "GET", Path: admin + "/images/digest", Access: Viewer, Summary: "What a signature of a boot image's one file must cover (default: the image served)", Query: []string{"image"}, Out: ImageDigest{}, Handle: func(c *call) (any, error) {
			id, digest, err := a.Images.Digest(c.Query("image"))
			return ImageDigest{Image: id, SHA256: digest[:]}, err
		}},
		{Method: "POST", Path: admin + "/images/signature", Access: Administrator, Summary: "Serve a boot image's one file with this signature", In: SignImage{}, Out: SignedImage{}, Handle: a.signImage},
	}
}

func (a *API) signImage(c *call) (any, error) {
	var in SignImage
	if err := c.body(&in); err != nil {
		return nil, err
	}
	by := imaging.Actor{Name: c.Actor, Address: addressOf(c)}
	file, signer, err := a.Images.Sign(c.ctx(), by, in.Image, in.Signature)
	if err != nil {
		return nil, err
	}
	return SignedImage{Image: in.Image, File: file, Signer: signer}, nil
}

func (a *API) buildImage(c *call) (any, error) {
	var in BuildImage
	if err := c.body(&in); err != nil {
		return nil, err
	}
	// A boot image is public: whoever names a folder puts files of the appliance
	// before everyone. That takes more than the console's administrator.
	windows := bootimages.WindowsOptions{Source: in.Source, Index: in.Index, Drivers: in.Drivers, Roots: in.RootCertificates, Wallpaper: in.Wallpaper, Hooks: in.Hooks}
	named := imaging.Named(in.Overlay)
	for _, value := range []string{in.Source, in.Drivers, in.RootCertificates, in.Wallpaper, in.Hooks} {
		named = named && imaging.Named(value)
	}
	if !c.Local && (!named || in.Packages != "" || in.Firmware != "" || in.AllowSecrets) {
		return nil, &Problem{Status: http.StatusForbidden, Code: "local-only",
			Detail: "Paths of the appliance can only be named on the appliance itself: slipway image build. From here name content (content:ITEM), or a file in the folder for sources (sources:NAME)."}
	}
	var servers []string
	switch {
	case in.Kind == bootimages.KindWinPE:
		var err error
		if servers, err = a.serverList(in.Servers); err != nil {
			return nil, err
		}
	case len(in.Servers) > 0:
		return nil, badRequest("Addresses are given to Windows PE images and to media; a Linux image is told by its loader.", nil)
	}
	by := imaging.Actor{Name: c.Actor, Address: addressOf(c)}
	id, err := a.Images.Build(c.ctx(), by, in.Kind, bootimages.Options{Packages: in.Packages, Firmware: in.Firmware,
		Overlay: in.Overlay, Profile: in.Profile, Keyboard: in.Keyboard, Lab: in.Lab, AllowSecrets: in.AllowSecrets,
		Architecture: in.Architecture, Servers: servers, Windows: windows})
	if err != nil {
		return nil, err
	}
	return a.Images.BuildStatus(id)
}

func addressOf(c *call) string {
	if p := peer(c.Request); p.IsValid() {
		return p.String()
	}
	return ""
}

func (a *API) engineActor(c *call) engine.Actor {
	return engine.Actor{Name: c.Actor, Address: addressOf(c)}
}

func (a *API) deviceActor(c *call) devices.Actor {
	return devices.Actor{Name: c.Actor, Address: addressOf(c)}
}
