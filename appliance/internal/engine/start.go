package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/google/uuid"

	"slipway/agent/wire"
	"slipway/appliance/internal/state"
	"slipway/fleet"
	"slipway/tasksequence"
)

// Values of wire.Order*, under the names this package uses.
const (
	orderCancel   = wire.OrderCancel
	orderPause    = wire.OrderPause
	orderContinue = wire.OrderContinue
)

// maxBody bounds a pinned document or a library entry, so that its record fits.
// Records hold the text in base64 beside a few short fields.
const maxBody = state.MaxRecord/4*3 - 16<<10

// Start begins a deployment on the device of the token. The sequence, its children
// and definitions are pinned as they stand now. With the Key of an earlier call it
// answers that call's deployment again.
//
// The token is bound to the deployment and reaches no other from then on. Errors:
// ErrForbidden (also when the sequence is outside the token's scope, or the token
// belongs to another deployment), ErrSignedOut, ErrNotFound (device or sequence),
// ErrNotActive, *UnfinishedError, ErrDifferent (the key was used for something else),
// *FieldError, tasksequence.Problems, ErrTooLarge, and those of the state.
func (e *Engine) Start(ctx context.Context, token fleet.Token, req wire.StartDeployment) (wire.Deployment, error) {
	if token.Kind != fleet.TokenDevice || token.DeviceID == "" {
		return wire.Deployment{}, fmt.Errorf("%w: only a device starts its deployment", ErrForbidden)
	}
	if len(req.Key) > maxShort {
		return wire.Deployment{}, &FieldError{Field: "key", Detail: fmt.Sprintf("it may be %d bytes long at most", maxShort)}
	}
	ref, err := tasksequence.ParseReference(req.Sequence)
	if err != nil {
		return wire.Deployment{}, &FieldError{Field: "sequence", Detail: err.Error()}
	}
	id := e.opts.NewID()
	if req.Key != "" {
		id = keyedID(token.DeviceID, req.Key)
	}
	s := starter{e: e, token: token, req: req, ref: ref, id: id}
	if err := e.opts.Store.Update(ctx, s.run); err != nil {
		return wire.Deployment{}, err
	}
	if s.begun {
		e.audit(ctx, s.deployment, Actor{Name: token.Actor, Address: token.Address}, "started")
		e.removeFiles(ctx, s.pruned)
		e.opts.Logger.InfoContext(ctx, "deployment started", "deployment", id, "device", token.DeviceID, "sequence", s.deployment.SequenceName)
	}
	if session, err := e.session(id); err == nil {
		e.heard(session, nil)
	}
	return e.answer(s.deployment, true)
}

// keyedID derives the id from the device and its key, so that the same call finds
// the same deployment, after a restart of the appliance too.
func keyedID(device, key string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("slipway deployment\x00"+device+"\x00"+key)).String()
}

// starter is one call of Start; run is the closure of its transaction.
type starter struct {
	e     *Engine
	token fleet.Token
	req   wire.StartDeployment
	ref   tasksequence.Reference
	id    string

	deployment fleet.Deployment
	begun      bool
	pruned     []string
}

func (s *starter) run(tx *state.Tx) error {
	s.begun, s.pruned = false, nil
	token, err := currentToken(tx, s.token)
	if err != nil {
		return err
	}
	if !allows(token, s.ref.ID) {
		return fmt.Errorf("%w: the task sequence %s is outside its scope", ErrForbidden, s.ref.ID)
	}
	device, err := tx.Devices().Get(token.DeviceID)
	if err != nil {
		return notFound(err)
	}
	if again, err := tx.Deployments().Get(s.id); err == nil {
		if again.SequenceID != s.ref.ID {
			return fmt.Errorf("%w: this key started the task sequence %q", ErrDifferent, again.SequenceName)
		}
		s.deployment = again
		return bind(tx, token, again)
	}
	if err := noneUnfinished(tx, device.ID); err != nil {
		return err
	}
	sequence, err := runnable(tx, s.ref, device)
	if err != nil {
		return err
	}
	body, document, err := s.pin(tx, sequence)
	if err != nil {
		return err
	}
	if err := s.record(device, sequence, body, document); err != nil {
		return err
	}
	if s.pruned, err = prune(tx, device.ID, s.e.opts.KeepPerDevice-1); err != nil {
		return err
	}
	s.begun = true
	return errors.Join(s.put(tx, device, body), bind(tx, token, s.deployment))
}

func (s *starter) put(tx *state.Tx, device fleet.Device, body []byte) error {
	if !tx.Documents().Has(s.deployment.Document) {
		if err := tx.Documents().Put(fleet.Document{Hash: s.deployment.Document, Body: body}); err != nil {
			return err
		}
	}
	device.Deployment = s.id
	return errors.Join(tx.Devices().Put(device), tx.Deployments().Put(s.deployment))
}

func noneUnfinished(tx *state.Tx, device string) error {
	for d := range tx.Deployments().ByDevice(device) {
		if !d.Status.Final() {
			return &UnfinishedError{Deployment: d.ID, Name: d.SequenceName}
		}
	}
	return nil
}

// pin makes the document and its plan; the plan is the proof that it can be run. The
// document takes the sealed values over as they stand in the library.
func (s *starter) pin(tx *state.Tx, sequence tasksequence.Sequence) ([]byte, *tasksequence.Document, error) {
	held := holder{vault: s.e.vault, sealed: map[string]json.RawMessage{}}
	sequence, err := held.take(sequence)
	if err != nil {
		return nil, nil, err
	}
	from, err := sourcesIn(tx, s.e.shelf, held.take)
	if err != nil {
		return nil, nil, err
	}
	doc, err := tasksequence.Pin(sequence, from)
	if err != nil {
		return nil, nil, err
	}
	if err := mapSequences(doc, held.back); err != nil {
		return nil, nil, err
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, nil, fmt.Errorf("write the document: %w", err)
	}
	if len(body) > maxBody {
		return nil, nil, fmt.Errorf("%w: with all it runs, the task sequence is %d bytes long; at most %d can be kept", ErrTooLarge, len(body), maxBody)
	}
	return body, doc, nil
}

func (s *starter) record(device fleet.Device, sequence tasksequence.Sequence, body []byte, doc *tasksequence.Document) error {
	plan, err := doc.Plan()
	if err != nil {
		return err
	}
	environment := clean(cmp.Or(s.req.Environment, s.token.Environment, tasksequence.LinuxPE), maxShort)
	if problems := plan.Foresee(environment, nil).Sure(); len(problems) > 0 {
		return problems
	}
	if environment == tasksequence.WinPE {
		if problems := foreseeParts(s.e.opts.WinPELacks, device.ImageID, plan).Sure(); len(problems) > 0 {
			return problems
		}
	}
	variables, err := s.variables(device, sequence)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	now := s.e.opts.Now()
	s.deployment = fleet.Deployment{
		ID: s.id, DeviceID: device.ID, DeviceName: device.Name,
		SequenceID: sequence.ID, SequenceVersion: sequence.Version, SequenceName: sequence.Name,
		Document: hex.EncodeToString(sum[:]), Status: fleet.DeploymentRunning,
		Environment: environment,
		Actor:       s.token.Actor, Address: s.token.Address, ImageID: device.ImageID,
		Epoch: 1, Variables: variables, StepCount: plan.Steps, StartedAt: now, UpdatedAt: now,
	}
	return nil
}

// variables are the defaults of the sequence, overridden by what people set for the
// device, overridden by what the device sent.
func (s *starter) variables(device fleet.Device, sequence tasksequence.Sequence) ([]fleet.VariableRecord, error) {
	var defaults []wire.Variable
	for name, value := range sequence.Variables {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("default of %s: %w", name, err)
		}
		defaults = append(defaults, wire.Variable{Name: name, Value: text})
	}
	slices.SortFunc(defaults, func(a, b wire.Variable) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range device.Variables {
		given := wire.Variable{Name: v.Name, Value: v.Value, Secret: v.Secret}
		if v.Secret {
			plain, err := s.e.opts.Sealer.Open(v.Sealed, fleet.VariablePurpose(device.ID, v.Name))
			if err != nil {
				return nil, fmt.Errorf("open the device's variable %s: %w", v.Name, err)
			}
			given.Value = plain
		}
		defaults = append(defaults, given)
	}
	return s.e.merge(s.id, nil, append(defaults, s.req.Variables...))
}

// prune forgets the oldest ended deployments of a device beyond keep, a few at a
// time so that the transaction stays small.
func prune(tx *state.Tx, device string, keep int) ([]string, error) {
	var ended []fleet.Deployment
	for d := range tx.Deployments().ByDevice(device) {
		ended = append(ended, d)
	}
	slices.SortFunc(ended, func(a, b fleet.Deployment) int { return b.StartedAt.Compare(a.StartedAt) })
	if len(ended) <= keep {
		return nil, nil
	}
	ended = ended[keep:]
	slices.Reverse(ended)
	ended = ended[:min(len(ended), 2)]
	var ids []string
	for _, d := range ended {
		for r := range tx.Results().ByDeployment(d.ID) {
			if err := tx.Results().Delete(state.ResultKey(d.ID, r.Path)); err != nil {
				return nil, err
			}
		}
		for pin := range tx.ContentPins().ByDeployment(d.ID) {
			if err := tx.ContentPins().Delete(state.ContentPinKey(d.ID, pin.Query)); err != nil {
				return nil, err
			}
		}
		if err := tx.Deployments().Delete(d.ID); err != nil {
			return nil, err
		}
		ids = append(ids, d.ID)
	}
	return ids, nil
}

func (e *Engine) removeFiles(ctx context.Context, ids []string) {
	for _, id := range ids {
		for _, path := range []string{e.logPath(id), e.historyPath(id)} {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				e.opts.Logger.WarnContext(ctx, "an old deployment's file was not removed", "deployment", id, "error", err)
			}
		}
	}
}
