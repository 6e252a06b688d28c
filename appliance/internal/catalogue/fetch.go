package catalogue

import (
	"context"
	"errors"
	"fmt"

	"slipway/agent/wire"
	"slipway/appliance/internal/content"
	"slipway/fleet"
)

// tag marks items that came of a catalogue.
const tag = "catalogue"

// patience is when a device may ask again, in seconds.
const patience = 5

// Answer says for a deployment where what an entry names can be fetched from, or how far
// the appliance is with it. The entry is fetched once for all devices.
func (s *Service) Answer(ctx context.Context, deployment string, by content.Actor, e Entry) (wire.CloudAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := wire.CloudAnswer{Name: e.Name, Image: e.Image, ImageIndex: e.ImageIndex}
	version, err := s.kept(e)
	if err != nil {
		return out, err
	}
	if version != "" {
		delete(s.jobs, e.URL)
		found, err := s.o.Library.Find(ctx, deployment, wire.ContentQuery{Items: []string{version}, Purpose: e.Kind})
		if err != nil {
			return out, err
		}
		out.Content = found.Content
		return out, nil
	}
	out.Wait = patience
	if id, ok := s.jobs[e.URL]; ok {
		job, err := s.o.Library.Job(id)
		switch {
		case err != nil: // forgotten
			delete(s.jobs, e.URL)
		case job.Status == content.JobFailed:
			delete(s.jobs, e.URL)
			return out, &FetchError{Name: e.Name, Reason: job.Error}
		case job.Status == content.JobDone:
			// Since a moment, or what it brought was deleted or deprecated: then anew.
			delete(s.jobs, e.URL)
			if version, err := s.kept(e); err != nil || version != "" {
				return out, err
			}
		default:
			out.Detail = fmt.Sprintf("The appliance fetches %s: %s", e.Name, job.Stage)
			if job.Total > 0 {
				out.Percent = int(job.Done * 100 / job.Total)
			}
			return out, nil
		}
	}
	job, err := s.o.Library.Import(ctx, by, e.wanted())
	if errors.Is(err, content.ErrBusy) {
		out.Detail = "The appliance is busy with other content"
		return out, nil
	}
	if err != nil {
		return out, err
	}
	s.jobs[e.URL] = job.ID
	out.Detail = "The appliance fetches " + e.Name
	return out, nil
}

// FetchError says why an entry could not be fetched.
type FetchError struct{ Name, Reason string }

func (e *FetchError) Error() string {
	return fmt.Sprintf("%s could not be fetched: %s", e.Name, e.Reason)
}

// kept is the reference of the version that an entry's address gave; empty: none. A
// version that people deprecated is not taken.
func (s *Service) kept(e Entry) (string, error) {
	list, err := s.o.Library.List()
	if err != nil {
		return "", err
	}
	for _, item := range list {
		for _, v := range item.Versions {
			if item.Purpose == e.Kind && v.Source == e.URL && v.Status == fleet.ContentActive {
				return v.Reference(), nil
			}
		}
	}
	return "", nil
}

// wanted is the import of an entry. Driver packs are unpacked: devices need the files. Of
// the image of a system a form for pipes is made beside it, as of any: DISM reads the file
// as it is, the Linux boot image the other.
func (e Entry) wanted() content.Import {
	name := []rune(e.Name)
	in := content.Import{Name: string(name[:min(len(name), 120)]), Description: "From a catalogue", Purpose: e.Kind, Tags: []string{tag}, URL: e.URL, Digest: e.Digest, Size: e.Size}
	if e.Kind == KindDriverPack {
		in.Manufacturer, in.Models, in.Unpack = e.Manufacturer, e.Models, true
	}
	return in
}
