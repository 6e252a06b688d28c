// Package runner runs a deployment on the device: it asks the interpreter what
// comes next, lets the executors work and reports every step. The appliance's
// record is the truth: a step begins only after the appliance has kept that it
// begins, so a power loss never leads to a second run in silence. While the
// appliance does not answer, a running step goes on and its reports are kept.
package runner
