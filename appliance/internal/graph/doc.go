// Package graph speaks with Microsoft Graph, for what only Microsoft's cloud can do:
// registering devices with Windows Autopilot. It holds the settings of that
// connection and the calls that are made.
//
// The appliance signs in as an application of the organisation's tenant, by the client
// credentials grant (RFC 6749, section 4.4) with a client secret, or with a certificate
// (private_key_jwt; PS256 with the thumbprint as x5t#S256, as Entra ID wants it).
// Devices never see the secret, the key, or a token: they ask the appliance, which
// does for them the one thing that their task sequence names.
//
// # Addresses
//
// Facts of the calls are those of Microsoft's reference of the Graph API for Intune:
// importedWindowsAutopilotDeviceIdentities (v1.0) takes a hardware hash;
// windowsAutopilotDeviceIdentities tells of the registered device, of which only the
// beta form says how the assignment of a profile stands.
//
// # Actions in the audit log
//
// graph.changed, graph.tested, autopilot.imported, autopilot.updated,
// autopilot.registered, autopilot.failed.
package graph
