// Package targetstate keeps what a restart of the device needs of an unfinished
// deployment on the disk of the system that is being installed: the agent's key, its
// token and which deployment it is. The boot image writes it as soon as there is a
// file system for it and finds it again after power was lost; the agent in the
// installed system goes on with the same folder (package installed).
//
// What is written is readable by root only. At the end the agent wipes it.
package targetstate

// Folder is where the state lies, below the root of the installed system.
const Folder = "/var/lib/slipway-agent"

// DeploymentFile holds the id of the unfinished deployment. The folder counts as an
// unfinished deployment's only with it, so it is written last and removed last.
const DeploymentFile = "deployment"

// maxFile bounds a file of the state, in bytes.
const maxFile = 4 << 20
