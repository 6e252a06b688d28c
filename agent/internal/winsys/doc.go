// Package winsys is what the agent asks of a running Windows, WinPE or installed: the
// network as it is set up, restarts, and the clock.
package winsys
