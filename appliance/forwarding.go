package main

import (
	"context"
	"fmt"

	"slipway/appliance/internal/syslog"
	"slipway/fleet"
	"slipway/ui"
)

// buildForwarding makes what forwards the audit log, when a collector is configured.
func (a *appliance) buildForwarding() error {
	if a.cfg.Audit.Syslog == "" {
		return nil
	}
	transport, address, err := a.cfg.Audit.Collector()
	if err != nil {
		return fmt.Errorf("audit.syslog: %w", err)
	}
	a.syslog, err = syslog.New(syslog.Options{Log: a.audit, Transport: transport, Address: address, CAFile: a.cfg.Audit.SyslogCA,
		CursorFile: a.folder("syslog.cursor"), Installation: a.pki.InstallationID(), Logger: a.log})
	return err
}

// forwardAudit forwards until ctx ends, or waits for its end without a collector.
func (a *appliance) forwardAudit(ctx context.Context) error {
	if a.syslog == nil {
		<-ctx.Done()
		return nil
	}
	return a.syslog.Run(ctx)
}

// forwardingFigures are the numbers of the forwarding; none without a collector.
func (a *appliance) forwardingFigures() figures {
	return figures{prefix: "slipway_audit_syslog_", read: func() map[string]float64 {
		if a.syslog == nil {
			return nil
		}
		return a.syslog.Figures()
	}}
}

// forwarding is the health of the audit log's way to the collector.
func (h *health) forwarding() ui.Check {
	c := ui.Check{Name: "Audit forwarding"}
	if h.a.syslog == nil {
		c.State, c.Text = ui.CheckOff, "No collector is configured (audit.syslog)"
		return c
	}
	s := h.a.syslog.Status()
	switch {
	case s.LastError != "":
		c.State, c.Text = ui.CheckFailed, fmt.Sprintf("%s cannot be reached, %d entries wait: %s", s.Collector, s.Lag, s.LastError)
		c.Next = "Check the collector and audit.syslog; entries are kept and forwarded later."
	case s.Missed > 0:
		c.State, c.Text = ui.CheckWarning, fmt.Sprintf("%d entries were dropped from the full log before %s took them; %d wait", s.Missed, s.Collector, s.Lag)
		c.Next = "The collector was away for too long; see the audit log for what was dropped."
	case !s.Connected:
		c.State, c.Text = ui.CheckWarning, fmt.Sprintf("Connecting to %s; %d entries wait", s.Collector, s.Lag)
	default:
		c.State, c.Text = ui.CheckOK, fmt.Sprintf("%d entries went to %s; %d wait", s.Forwarded, s.Collector, s.Lag)
	}
	return c
}

// authority is the health of the certificate authority and its rotation.
func (h *health) authority(ctx context.Context) ui.Check {
	c := ui.Check{Name: "Certificate authority", State: ui.CheckOK, Text: "Devices know this appliance by it"}
	s, err := h.a.rotation.Status(ctx)
	switch {
	case err != nil || len(s.Authorities) == 0:
		c.State, c.Text, c.Next = ui.CheckFailed, fmt.Sprint("It cannot be read: ", err), "See the appliance's log."
	case len(s.Authorities) > 1:
		c.State, c.Text, c.Next = ui.CheckWarning, "It is being replaced: the new one does not sign yet", s.Next
		if s.Authorities[1].State == fleet.AuthorityOld {
			c.Text = fmt.Sprintf("It was replaced; boot images still trust the old one, and %d images and %d devices do not know the new one", len(s.Images), len(s.Devices))
		}
	}
	return c
}
