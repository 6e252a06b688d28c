package session

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"slipway/agent/internal/client"
	"slipway/agent/wire"
)

// The files of a sign-in in StateDir.
const (
	tokenFile    = "token.json"
	identityFile = "identity.pem" // written by the caller, with client.KeepIdentity
	reportsFile  = "reports.json" // what the appliance has not acknowledged
)

// kept is a sign-in as it outlives a crash of the agent and, where StateDir is
// on a disk, a restart of the machine.
type kept struct {
	wire.Token
	Binding    string `json:"binding"`              // of the identity the token is bound to
	Warning    string `json:"warning,omitempty"`    // what anonymous sign-in warns of
	Deployment string `json:"deployment,omitempty"` // the token is good for this one only
}

// remember keeps the sign-in, so that a crash of the agent does not send a
// technician to the machine.
func (s *Session) remember(c *client.Client, deployment string) {
	if s.handed.Load() {
		return
	}
	k := kept{Token: c.Token(), Binding: client.Binding(c.Identity()), Warning: s.warning, Deployment: deployment}
	text, err := json.Marshal(k)
	if err != nil {
		s.Log.Warn("sign-in not kept over a crash", "error", err)
		return
	}
	if k.Binding == client.Binding(s.Identity) {
		s.keepIdentity()
	}
	s.keep(tokenFile, string(text))
	s.save(deployment)
}

// keepIdentity writes the agent's key again when the end of a deployment wiped it.
func (s *Session) keepIdentity() {
	path := filepath.Join(s.StateDir, identityFile)
	if _, err := os.Stat(path); err == nil {
		return
	}
	if err := client.SaveIdentity(path, s.Identity); err != nil {
		s.Log.Warn("the agent's key is not kept over a crash", "error", err)
	}
}

// recall takes up a kept sign-in and returns the deployment it belongs to, if any.
func (s *Session) recall(c *client.Client) (deployment string, ok bool) {
	var k kept
	if json.Unmarshal([]byte(s.kept(tokenFile)), &k) != nil || k.Token.Token == "" || !s.Now().Before(k.ExpiresAt) {
		return "", false
	}
	switch k.Binding {
	case client.Binding(s.Identity):
		c.Identify(tls.Certificate{})
	case s.certificateBinding():
		c.Identify(*s.Certificate)
	default:
		return "", false
	}
	c.SetToken(k.Token)
	s.warn(k.Warning)
	return k.Deployment, true
}

func (s *Session) certificateBinding() string {
	if s.Certificate == nil {
		return "none"
	}
	return client.Binding(*s.Certificate)
}

// warn sets the lasting warning of every page.
func (s *Session) warn(text string) {
	s.warning = text
	s.showWarnings()
}

// signOut drops a sign-in that the appliance does not know any more.
func (s *Session) signOut(c *client.Client) {
	s.wipe(tokenFile)
	c.Identify(tls.Certificate{})
	s.warn("")
}

// forget wipes what a sign-in left, at the end of a deployment.
func (s *Session) forget() {
	s.unsave()
	s.wipe(tokenFile)
	s.wipe(identityFile)
	s.wipe(reportsFile)
}

// wipe overwrites and removes a small file. On media that remap their blocks the
// old content may survive below; what it held ends with the deployment anyhow.
func (s *Session) wipe(name string) {
	path := filepath.Join(s.StateDir, name)
	if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
		if info, err := f.Stat(); err == nil {
			_, _ = f.Write(make([]byte, info.Size()))
			_ = f.Sync()
		}
		f.Close()
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		s.Log.Warn("not wiped", "file", path, "error", err)
	}
}

// keep writes a small file, for its owner only, that outlives a crash of the
// agent; kept reads it. The file is whole or not there: power may fail.
func (s *Session) keep(name, text string) {
	if err := s.write(name, text); err != nil {
		s.Log.Warn("not kept over a crash", "what", name, "error", err)
	}
}

func (s *Session) write(name, text string) error {
	if err := os.MkdirAll(s.StateDir, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	f, err := os.CreateTemp(s.StateDir, name+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.StateDir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func (s *Session) kept(name string) string {
	text, _ := os.ReadFile(filepath.Join(s.StateDir, name))
	return string(text)
}
