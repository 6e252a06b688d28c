package netboot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TFTP opcodes (RFC 1350, section 5).
const (
	tftpRRQ   = 1
	tftpWRQ   = 2
	tftpData  = 3
	tftpAck   = 4
	tftpError = 5
	tftpOACK  = 6
)

// TFTP error codes (RFC 1350, appendix; 8 by RFC 2347).
const (
	tftpErrUndefined = 0
	tftpErrNotFound  = 1
	tftpErrAccess    = 2
	tftpErrIllegal   = 4
	tftpErrOption    = 8
)

// The bounds of a request. 512 bytes is RFC 2347's; firmware stays far below
// the others.
const (
	maxTFTPRequest     = 512
	maxTFTPName        = 255
	maxTFTPOptions     = 16
	maxTFTPOptionName  = 32
	maxTFTPOptionValue = 32
)

// tftpRequest is a read request that passed the guard.
type tftpRequest struct {
	name     string
	netascii bool
	blksize  int // bytes, 0 when not asked for
	tsize    bool
	window   int // blocks, 0 when not asked for (RFC 7440)
	timeout  int // seconds, 0 when not asked for (RFC 2349)
}

// ours says that we send the file ourselves: whenever options were asked for. The
// library knows neither windows nor the timeout option, and its own socket for each
// transfer, behind a relay, costs half the speed. It has the rest: plain RFC 1350,
// and netascii.
func (r *tftpRequest) ours() bool {
	return !r.netascii && (r.window > 0 || r.timeout > 0 || r.blksize > 0 || r.tsize)
}

// block is the size of blocks in bytes.
func (r *tftpRequest) block() int {
	if r.blksize == 0 {
		return 512
	}
	return r.blksize
}

// wait is how long to wait for an acknowledgement.
func (r *tftpRequest) wait() time.Duration {
	if r.timeout > 0 {
		return time.Duration(r.timeout) * time.Second
	}
	return tftpRetransmit
}

// bound cuts what was asked for down to what this server and link do.
func (r *tftpRequest) bound(mtu int) {
	r.blksize = min(r.blksize, maxBlock(mtu))
	r.window = min(r.window, maxWindow, max(1, maxWindowBytes/r.block()))
	if r.netascii {
		r.window, r.timeout = 0, 0
	}
}

// tftpRefusal is an answer to a request that is not served. The texts are
// fixed: nothing a client sends, and no error of ours, goes back.
type tftpRefusal struct {
	code uint16
	text string
}

func (r *tftpRefusal) Error() string { return fmt.Sprintf("TFTP error %d: %s", r.code, r.text) }

var (
	refuseWrite     = &tftpRefusal{tftpErrAccess, "This server is read only"}
	refuseMalformed = &tftpRefusal{tftpErrIllegal, "Malformed request"}
	refuseMode      = &tftpRefusal{tftpErrIllegal, "Transfer mode not supported"}
	refuseOption    = &tftpRefusal{tftpErrOption, "Malformed option"}
	refuseNotFound  = &tftpRefusal{tftpErrNotFound, "File not found"}
	refuseInternal  = &tftpRefusal{tftpErrUndefined, "Server error"}
	refuseEnded     = &tftpRefusal{tftpErrUndefined, "Transfer ended"}
)

// parseTFTP reads what came to the request port. A nil request with a nil
// refusal is to be ignored: answering stray DATA, ACK or ERROR packets would
// make loops between servers.
func parseTFTP(p []byte) (*tftpRequest, *tftpRefusal) {
	if len(p) < 2 {
		return nil, nil
	}
	switch binary.BigEndian.Uint16(p) {
	case tftpRRQ:
	case tftpWRQ:
		return nil, refuseWrite
	default:
		return nil, nil
	}
	if len(p) > maxTFTPRequest || p[len(p)-1] != 0 {
		return nil, refuseMalformed
	}
	fields := bytes.Split(p[2:len(p)-1], []byte{0})
	if len(fields) < 2 || len(fields)%2 != 0 || len(fields) > 2+2*maxTFTPOptions {
		return nil, refuseMalformed
	}
	r := &tftpRequest{name: string(fields[0])}
	if !printable(fields[0]) || len(fields[0]) == 0 || len(fields[0]) > maxTFTPName {
		return nil, refuseMalformed
	}
	switch strings.ToLower(string(fields[1])) {
	case "octet":
	case "netascii":
		r.netascii = true
	default:
		return nil, refuseMode
	}
	if refusal := r.options(fields[2:]); refusal != nil {
		return nil, refusal
	}
	return r, nil
}

// options reads name and value pairs (RFC 2347). Unknown ones are left out of
// our answer, which declines them. A name may stand once.
func (r *tftpRequest) options(fields [][]byte) *tftpRefusal {
	seen := make(map[string]bool, len(fields)/2)
	for ; len(fields) > 0; fields = fields[2:] {
		name, value := strings.ToLower(string(fields[0])), string(fields[1])
		if name == "" || len(name) > maxTFTPOptionName || len(value) > maxTFTPOptionValue ||
			!printable(fields[0]) || !printable(fields[1]) || seen[name] {
			return refuseOption
		}
		seen[name] = true
		switch name {
		case "blksize":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n < 8 || n > 65464 { // RFC 2348
				return refuseOption
			}
			if n >= 512 { // a smaller one is declined: 512 it is then
				r.blksize = int(n)
			}
		case "tsize":
			if _, err := strconv.ParseUint(value, 10, 63); err != nil {
				return refuseOption
			}
			r.tsize = !r.netascii // the size after conversion is not known
		case "windowsize":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n < 1 || n > 65535 { // RFC 7440
				return refuseOption
			}
			r.window = int(n)
		case "timeout":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n < 1 || n > 255 { // RFC 2349
				return refuseOption
			}
			r.timeout = int(n)
		}
	}
	return nil
}

// marshal writes the request anew for the library, which thus sees only what
// was understood here, in one spelling. The size was told the client already.
func (r *tftpRequest) marshal() []byte {
	mode := "octet"
	if r.netascii {
		mode = "netascii"
	}
	b := []byte{0, tftpRRQ}
	for _, s := range []string{r.name, mode} {
		b = append(append(b, s...), 0)
	}
	if r.blksize > 0 {
		b = append(b, "blksize\x00"+strconv.Itoa(r.blksize)+"\x00"...)
	}
	return b
}

// marshal writes an ERROR packet.
func (r *tftpRefusal) marshal() []byte {
	b := binary.BigEndian.AppendUint16([]byte{0, tftpError}, r.code)
	return append(append(b, r.text...), 0)
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}
