package facts

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"io/fs"
	"slices"
	"strings"
)

// EFIVariables is where the kernel shows the firmware's variables (efivarfs).
const EFIVariables = "sys/firmware/efi/efivars"

// Variables of Secure Boot (UEFI 2.10, 3.3 and 32.4.1), with their vendors.
const (
	secureBootVariable = EFIVariables + "/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	dbVariable         = EFIVariables + "/db-d719b2cb-3d3a-4596-a3bc-dad00e67656f"
)

// maxVariable bounds what is looked at, in bytes; real ones have a few thousand.
const maxVariable = 1 << 20

// certX509 is EFI_CERT_X509_GUID as it is stored (UEFI 2.10, 32.4.1).
var certX509 = []byte{0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72}

// authorities are the certificates that say which signed programs a machine
// starts, by common name. The loaders of others than Microsoft (shim, iPXE) are
// signed under one of the first two.
var authorities = map[string]string{
	"Microsoft Corporation UEFI CA 2011":    "2011",
	"Microsoft UEFI CA 2023":                "2023",
	"Microsoft Windows Production PCA 2011": "Windows 2011",
	"Windows UEFI CA 2023":                  "Windows 2023",
	"Microsoft Option ROM UEFI CA 2023":     "Option ROM 2023",
}

// variable reads a firmware variable: four bytes of attributes, then the value.
func variable(root fs.FS, name string) ([]byte, bool) {
	b, err := fs.ReadFile(root, name)
	if err != nil || len(b) < 4 || len(b) > maxVariable {
		return nil, false
	}
	return b[4:], true
}

// secureBoot reports whether the firmware starts signed programs only.
func secureBoot(root fs.FS) bool {
	v, ok := variable(root, secureBootVariable)
	return ok && len(v) == 1 && v[0] == 1
}

// secureBootDB names the certificates in the firmware's db: "2011" and "2023" are
// Microsoft's for the loaders of others, anything unknown is named as it names
// itself. Empty when there is none, or it cannot be read.
func secureBootDB(root fs.FS) string {
	v, ok := variable(root, dbVariable)
	if !ok {
		return ""
	}
	var names []string
	for _, der := range certificates(v) {
		if name := authority(der); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// authority names a certificate by what is known of it, else by its own common
// name, cut to something that fits a line.
func authority(der []byte) string {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return "unreadable"
	}
	if known, ok := authorities[c.Subject.CommonName]; ok {
		return known
	}
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == ',' {
			return ' '
		}
		return r
	}, c.Subject.CommonName)
	return strings.TrimSpace(name[:min(len(name), 64)])
}

// certificates walks the EFI_SIGNATURE_LISTs of a db and returns its certificates
// (DER). Lists of hashes are passed over; what is cut short ends the walk.
func certificates(b []byte) (out [][]byte) {
	const header = 28 // type, list size, header size, entry size
	for len(b) >= header {
		size, skip := binary.LittleEndian.Uint32(b[16:]), binary.LittleEndian.Uint32(b[20:])
		entry := binary.LittleEndian.Uint32(b[24:])
		if size < header || uint64(size) > uint64(len(b)) || uint64(skip) > uint64(size-header) {
			return out
		}
		list := b[header+skip : size]
		if bytes.Equal(b[:16], certX509) {
			for ; entry > 16 && uint64(entry) <= uint64(len(list)); list = list[entry:] {
				out = append(out, list[16:entry]) // the owner comes first
			}
		}
		b = b[size:]
	}
	return out
}
