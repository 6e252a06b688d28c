// Package boot is what the agent does as the first program of a boot image:
// the supervisor that is PID 1, mounts, kernel modules by modalias, hot-plug
// events, the clock, and the way out (restart, power off). It knows the machine
// but neither the appliance nor what a task sequence is.
package boot
