package main

import (
	"context"
	"time"

	"slipway/appliance/internal/backup"
)

// backups writes backups of this appliance.
func (a *appliance) backups() *backup.Writer {
	return backup.NewWriter(backup.Sources{Store: a.store, Keyring: a.keyring, Data: a.cfg.Data, Version: version,
		Installation: a.pki.InstallationID(), Content: a.content})
}

// rotateSecret replaces the key file.
func (a *appliance) rotateSecret(ctx context.Context) (dataKeys int, err error) {
	return a.keyring.Rotate(ctx, a.store, a.folder("secret.key"), time.Now())
}
