package ui

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"slipway/fleet"
	"slipway/ui/internal/view"
)

const historyMost = 20

func (c *Console) showDevice(v *visit) error { return c.device(v, http.StatusOK, view.DeviceView{}) }

// device draws the page of a device; out carries the error of a form, if any.
func (c *Console) device(v *visit, status int, out view.DeviceView) error {
	d, err := c.backend.Devices.Get(v.ctx(), v.param("id"))
	if err != nil {
		return err
	}
	p, err := c.page(v, view.DeviceName(d), "devices", "device:"+d.ID+",deployments,changed:deployment,changed:access")
	if err != nil {
		return err
	}
	out.D = d
	if err := c.deviceDeployments(v, &out, p); err != nil {
		return err
	}
	if err := c.deviceImage(v, &out); err != nil {
		return err
	}
	sequences, err := c.backend.Sequences.List(v.ctx())
	if err != nil {
		return err
	}
	out.Sequences = sequenceOptions(sequences, d.Sequence)
	if out.Variables == nil {
		out.Variables = variableRows(d.Variables)
	}
	if p.May(fleet.RoleTechnician) {
		if out.History, err = c.backend.Audit.Recent(v.ctx(), AuditQuery{Device: d.ID, Limit: historyMost}); err != nil {
			return err
		}
		tokens, err := c.deviceTokens(v.ctx())
		if err != nil {
			return err
		}
		for _, t := range tokens {
			if t.DeviceID == d.ID {
				out.Tokens = append(out.Tokens, view.TokenRow{T: t, Device: view.DeviceName(d)})
			}
		}
	}
	return c.draw(v, status, view.Device(p, out))
}

func (c *Console) deviceDeployments(v *visit, out *view.DeviceView, p view.Page) error {
	all, err := c.backend.Deployments.List(v.ctx())
	if err != nil {
		return err
	}
	own := slices.DeleteFunc(all, func(x fleet.Deployment) bool { return x.DeviceID != out.D.ID })
	newestFirst(own)
	if len(own) > 0 {
		out.Current = &own[0]
	}
	out.F = view.DeviceFields(out.D, out.Current, c.heardCurrent(v.ctx(), out.Current), p.Now)
	for _, x := range own[:min(len(own), historyMost)] {
		out.Deployments = append(out.Deployments, c.deploymentRow(v.ctx(), x, p.Now))
	}
	return nil
}

func (c *Console) deviceImage(v *visit, out *view.DeviceView) error {
	images, err := c.backend.Images.List(v.ctx())
	if err != nil {
		return err
	}
	out.Served = slices.ContainsFunc(images, func(m fleet.BootImage) bool { return m.ID == out.D.ImageID && m.Served })
	return nil
}

// sequenceOptions offers "asks", each sequence's newest active version, and what
// is assigned now even when it is no longer active.
func sequenceOptions(all []fleet.Sequence, assigned string) []view.Option {
	out := []view.Option{{Value: "", Label: "None: ask the technician", Selected: assigned == ""}}
	found := assigned == ""
	for _, s := range newestVersions(all) {
		if s.Active == 0 && s.S.ID != assigned {
			continue
		}
		out = append(out, view.Option{Value: s.S.ID, Label: s.S.Name + " (newest active)", Selected: s.S.ID == assigned})
		found = found || s.S.ID == assigned
	}
	if !found {
		out = append(out, view.Option{Value: assigned, Label: assigned, Selected: true})
	}
	return out
}

func (c *Console) renameDevice(v *visit) error {
	err := c.backend.Devices.Rename(v.ctx(), v.actor(), v.param("id"), strings.TrimSpace(v.form("name")))
	if err == nil {
		return done(v, view.DeviceURL(v.param("id")), "renamed")
	}
	return c.deviceProblem(v, err)
}

func (c *Console) assignSequence(v *visit) error {
	err := c.backend.Devices.Assign(v.ctx(), v.actor(), v.param("id"), v.form("sequence"))
	if err == nil {
		return done(v, view.DeviceURL(v.param("id")), "assigned")
	}
	return c.deviceProblem(v, err)
}

func (c *Console) setBoot(v *visit) error {
	target, once := fleet.BootTarget(v.form("target")), v.form("when") == "next"
	switch {
	case target == fleet.BootImageTarget, target == fleet.BootWinPE, target == fleet.BootDisk, target == fleet.BootSilent, target == "" && once:
	default:
		return c.deviceProblem(v, &Refused{Reason: "Choose what the device boots: the boot image, the Windows PE image, its local disk, or no answer."})
	}
	err := c.backend.Devices.SetBoot(v.ctx(), v.actor(), v.param("id"), target, once)
	if err == nil {
		return done(v, view.DeviceURL(v.param("id")), "boot")
	}
	return c.deviceProblem(v, err)
}

func (c *Console) setWay(v *visit) error {
	way := fleet.BootWay(v.form("way"))
	if way != "" && !slices.Contains(fleet.BootWays(), way) {
		return c.deviceProblem(v, &Refused{Reason: "Choose one of the listed ways of starting UEFI firmware."})
	}
	err := c.backend.Devices.SetWay(v.ctx(), v.actor(), v.param("id"), way)
	if err == nil {
		return done(v, view.DeviceURL(v.param("id")), "way")
	}
	return c.deviceProblem(v, err)
}

func (c *Console) deviceProblem(v *visit, err error) error {
	field, text, _, ok := inForm(err)
	if !ok {
		return err
	}
	var out view.DeviceView
	switch field {
	case "sequence":
		out.SeqError = text
	case "name":
		out.NameError = text
	default:
		out.Problem = text
	}
	return c.device(v, http.StatusUnprocessableEntity, out)
}

// compareAddress orders addresses as numbers: .9 before .10.
func compareAddress(a, b string) int {
	x, _ := netip.ParseAddr(a) // the zero Addr sorts before every address
	y, _ := netip.ParseAddr(b)
	return x.Compare(y)
}
