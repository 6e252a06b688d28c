package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/appliance/internal/devices"
	"slipway/appliance/internal/engine"
	"slipway/appliance/internal/imaging"
	"slipway/bootimages"
	"slipway/fleet"
	"slipway/ui"
)

type deviceList struct{ devices *devices.Admin }

func (d deviceList) List(ctx context.Context) ([]fleet.Device, error) {
	list, err := d.devices.List(ctx)
	return list, translate(err)
}

func (d deviceList) Get(ctx context.Context, id string) (fleet.Device, error) {
	device, err := d.devices.Get(ctx, id)
	return device, translate(err)
}

func (d deviceList) Rename(ctx context.Context, by ui.Actor, id, name string) error {
	return translate(d.devices.Rename(ctx, deviceActor(by), id, name))
}

func (d deviceList) Assign(ctx context.Context, by ui.Actor, id, sequence string) error {
	return translate(d.devices.Assign(ctx, deviceActor(by), id, sequence))
}

func (d deviceList) SetBoot(ctx context.Context, by ui.Actor, id string, target fleet.BootTarget, once bool) error {
	return translate(d.devices.SetBoot(ctx, deviceActor(by), id, target, once))
}

func (d deviceList) SetWay(ctx context.Context, by ui.Actor, id string, way fleet.BootWay) error {
	return translate(d.devices.SetWay(ctx, deviceActor(by), id, way))
}

func (d deviceList) SetVariables(ctx context.Context, by ui.Actor, id string, list []ui.DeviceVariable) error {
	given := make([]devices.Variable, len(list))
	for i, x := range list {
		given[i] = devices.Variable{Name: x.Name, Value: x.Value, Keep: x.Keep}
	}
	err := d.devices.SetVariables(ctx, deviceActor(by), id, given)
	var wrong devices.VariableErrors
	if errors.As(err, &wrong) {
		out := make(ui.FieldErrors, len(wrong))
		for i, x := range wrong {
			out[i] = &ui.FieldError{Field: fmt.Sprintf("%s-%d", x.Field, x.Index), Detail: x.Detail}
		}
		return out
	}
	return translate(err)
}

type deployments struct{ engine *engine.Engine }

func (d deployments) List(context.Context) ([]fleet.Deployment, error) {
	list, err := d.engine.List()
	return list, translate(err)
}

func (d deployments) Get(_ context.Context, id string) (fleet.Deployment, error) {
	x, err := d.engine.Deployment(id)
	return x, translate(err)
}

func (d deployments) Results(_ context.Context, id string) ([]fleet.StepResult, error) {
	list, err := d.engine.Results(id)
	return list, translate(err)
}

func (d deployments) Document(_ context.Context, id string) ([]byte, error) {
	body, err := d.engine.Document(id)
	return body, translate(err)
}

func (d deployments) Progress(_ context.Context, id string) (fleet.Progress, bool) {
	return d.engine.Progress(id)
}

// LastHeard implements ui.Hearing: heartbeats count as a report.
func (d deployments) LastHeard(id string) time.Time { return d.engine.LastHeard(id) }

func (d deployments) Log(_ context.Context, id string, from int64, n int) ([]fleet.LogLine, int64, error) {
	lines, last, err := d.engine.ReadLog(id, from, n)
	return lines, last, translate(err)
}

func (d deployments) Cancel(ctx context.Context, by ui.Actor, id string) error {
	return translate(d.engine.Order(ctx, engineActor(by), id, "cancel"))
}

func (d deployments) Pause(ctx context.Context, by ui.Actor, id string) error {
	return translate(d.engine.Order(ctx, engineActor(by), id, "pause"))
}

func (d deployments) Continue(ctx context.Context, by ui.Actor, id string) error {
	return translate(d.engine.Order(ctx, engineActor(by), id, "continue"))
}

type bootImages struct{ images *imaging.Service }

func (b bootImages) List(context.Context) ([]fleet.BootImage, error) {
	list, err := b.images.List()
	return list, translate(err)
}

func (b bootImages) Builds(context.Context) ([]fleet.ImageBuild, error) {
	return b.images.Builds(), nil
}

func (b bootImages) Build(ctx context.Context, by ui.Actor, kind string) (string, error) {
	id, err := b.images.Build(ctx, imaging.Actor{Name: by.Name, Address: by.Address.String()}, kind, bootimages.Options{})
	return id, translate(err)
}
