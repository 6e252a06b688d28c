package boot

import (
	"bytes"
	"strings"
)

// Uevent is one message of the kernel about a device that came or went.
type Uevent struct {
	Action    string // add, remove, change, bind, ...
	Path      string // below /sys
	Subsystem string
	Modalias  string
}

// ParseUevent reads a NETLINK_KOBJECT_UEVENT message: "action@path", then
// NAME=value, each ended by a zero byte. ok is false for anything else,
// messages of udev ("libudev") included.
func ParseUevent(msg []byte) (e Uevent, ok bool) {
	head, rest, found := bytes.Cut(msg, []byte{0})
	action, path, at := strings.Cut(string(head), "@")
	if !found || !at || action == "" {
		return Uevent{}, false
	}
	e = Uevent{Action: action, Path: path}
	for field := range bytes.SplitSeq(rest, []byte{0}) {
		name, value, _ := strings.Cut(string(field), "=")
		switch name {
		case "SUBSYSTEM":
			e.Subsystem = value
		case "MODALIAS":
			e.Modalias = value
		}
	}
	return e, true
}
