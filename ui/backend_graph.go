package ui

import (
	"context"

	"slipway/fleet"
)

// Graph is the appliance's connection to Microsoft Graph, for Windows Autopilot.
type Graph interface {
	// Settings are all settings; those of kind KindSecret never show their value, but
	// may say what may be known of it ("set, thumbprint ...").
	Settings(ctx context.Context) ([]Setting, error)
	// Permissions are what the application needs in the tenant.
	Permissions() []GraphPermission
	// Change changes settings by their names, all or none; an empty value removes one.
	// *FieldError with the name as field.
	Change(ctx context.Context, by Actor, changes map[string]string) error
	// Test tries what is kept. It may take as long as Microsoft's service does.
	Test(ctx context.Context, by Actor) (fleet.GraphTest, error)
}

// GraphPermission is one permission with its reason.
type GraphPermission struct{ Name, Why string }
