package appliancetest

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"net/http"

	"slipway/agent/wire"
	"slipway/tasksequence"
)

func (a *Appliance) startDeployment(w http.ResponseWriter, r *http.Request) {
	var in wire.StartDeployment
	_ = json.NewDecoder(r.Body).Decode(&in)
	a.Started = append(a.Started, in)
	if a.Deployment.Status == "running" {
		a.refuse(w, wire.Problem{Title: "Conflict", Status: http.StatusConflict, Detail: "The device has an unfinished deployment."})
		return
	}
	doc := a.Document
	doc.Sequence.Format = cmp.Or(doc.Sequence.Format, tasksequence.Format)
	text, err := json.Marshal(doc)
	if err != nil {
		a.refuse(w, wire.Problem{Title: err.Error(), Status: http.StatusInternalServerError})
		return
	}
	plan, err := a.Document.Plan()
	if err != nil {
		a.refuse(w, wire.Problem{Title: err.Error(), Status: http.StatusInternalServerError})
		return
	}
	a.Deployment = wire.Deployment{ID: "d1", Status: "running", Epoch: 1, Document: text,
		Name: a.Document.Sequence.Name, StepCount: plan.Steps, Variables: in.Variables}
	a.bind(r, a.Deployment.ID)
	a.Events = nil
	w.WriteHeader(http.StatusCreated)
	reply(w, a.Deployment)
}

func (a *Appliance) resume(w http.ResponseWriter, r *http.Request) {
	a.bind(r, a.Deployment.ID)
	a.Deployment.Epoch++
	a.Deployment.Kept = 0
	a.Deployment.WaitsFor = ""
	reply(w, a.Deployment)
}

// winPE names the image, with a second token for the key that is asked for.
func (a *Appliance) winPE(w http.ResponseWriter, r *http.Request) {
	var in wire.WinPERequest
	_ = json.NewDecoder(r.Body).Decode(&in)
	if a.WinPE.Image == "" {
		a.refuse(w, wire.Problem{Title: "Not Found", Status: http.StatusNotFound, Detail: "No Windows PE image for " + in.Architecture + " is served."})
		return
	}
	out := a.WinPE
	if in.Binding != "" {
		value := rand.Text()
		a.tokens["Bearer "+value] = &token{binding: in.Binding, deployment: r.PathValue("id")}
		out.Token = &wire.Token{Token: value, ExpiresAt: a.Now().Add(a.TokenLife)}
	}
	reply(w, out)
}

// events keeps what is new, in order, and folds it into the deployment.
func (a *Appliance) events(w http.ResponseWriter, r *http.Request) {
	var in wire.EventBatch
	_ = json.NewDecoder(r.Body).Decode(&in)
	if in.Epoch != a.Deployment.Epoch {
		a.refuse(w, wire.Problem{Title: "Conflict", Status: http.StatusConflict})
		return
	}
	if len(in.Events) == 0 {
		a.Heartbeats++
	}
	for _, e := range in.Events {
		if e.Number == a.Deployment.Kept+1 {
			a.Deployment.Kept++
			a.Events = append(a.Events, e)
			a.fold(e)
		}
	}
	reply(w, wire.EventAnswer{Kept: a.Deployment.Kept, Orders: a.Orders})
	a.Orders = nil
}

func (a *Appliance) fold(e wire.Event) {
	d := &a.Deployment
	switch e.Kind {
	case wire.EventStepStarted:
		d.Results = append(d.Results, wire.Result{Path: e.Path, Status: "running"})
	case wire.EventStepFinished:
		results := d.Results[:0:0]
		for _, old := range d.Results {
			if old.Path != e.Path {
				results = append(results, old)
			}
		}
		d.Results = append(results, *e.Result)
	case wire.EventRebooting:
		d.WaitsFor = e.Target
	case wire.EventFinished:
		d.Status, d.Message = e.Status, e.Message
		a.Ended = append(a.Ended, e.Status+": "+e.Message)
		a.Sequences.Unfinished = ""
		a.end(d.ID)
	}
	for _, v := range e.Variables {
		vars := d.Variables[:0:0]
		for _, old := range d.Variables {
			if old.Name != v.Name {
				vars = append(vars, old)
			}
		}
		d.Variables = append(vars, v)
	}
}

func (a *Appliance) logs(w http.ResponseWriter, r *http.Request) {
	var in wire.LogBatch
	_ = json.NewDecoder(r.Body).Decode(&in)
	kept := int64(0)
	for _, l := range in.Lines {
		a.Logs = append(a.Logs, l)
		kept = l.Number
	}
	reply(w, wire.LogAnswer{Kept: kept})
}
