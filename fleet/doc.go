// Package fleet holds the plain types that both the console and the appliance
// name: devices, deployments, sequences in the library, boot images, sign-in
// settings, accounts, tokens and audit entries. It imports the standard library
// only and holds no behaviour beyond what a type needs to describe itself.
//
// # Glossary
//
//   - Device: a machine that has been seen. It has an id of ours; what it says
//     of itself (UUID, serial, MAC) is a claim and never the basis of a right.
//   - Task sequence (short: sequence): the list of steps that turns an empty disk
//     into a working system.
//   - Deployment: one run of one sequence version on one device.
//   - Event: what a device reports about its deployment, numbered within an epoch.
//   - Epoch: grows each time the agent starts or resumes a deployment.
//   - Boot image: kernel and initrd that carry the agent to the device, named by
//     the hash of their resolved inputs.
//   - Boot target: what a device boots next: the boot image, its disk, or silence.
//   - Mechanism: a way to prove that one may deploy: anonymous, certificate,
//     Entra ID, passcode.
//   - Challenge: the form on the device's screen that asks for that proof.
//   - Sealed: encrypted under the installation's data key; never plain at rest.
package fleet
