package fleet

import "time"

// Medium is a CD or stick that was made of a boot image. What became of the file is
// not known: the record tells which authorities a medium out there trusts.
type Medium struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"` // "iso" or "usb"
	Image   string    `json:"image"`
	CASet   []string  `json:"caSet"`   // SHA-256 fingerprints, hex
	Servers []string  `json:"servers"` // address:port, where its devices look last
	Size    int64     `json:"size"`    // bytes
	SHA256  string    `json:"sha256"`  // of the file, hex
	MadeAt  time.Time `json:"madeAt"`  // the last time: the same medium is made with the same bytes
	MadeBy  string    `json:"madeBy"`
}
