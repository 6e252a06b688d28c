package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
)

// A UEFI variable store is a firmware volume that holds an authenticated variable
// store (EDK2, MdeModulePkg/Include/Guid/VariableFormat.h): a header, then records
// at multiples of four.
const (
	storeHeader    = 28 // of the variable store
	variableHeader = 60 // AUTHENTICATED_VARIABLE_HEADER
	variableMagic  = 0x55aa
	stateAdded     = 0x3f
	stateDeleted   = 0x3c // 0x3f with the bits of "in deletion" and "deleted" cleared
)

// x509List is EFI_CERT_X509_GUID as it is stored (UEFI 2.10, 32.4.1).
var x509List = []byte{0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72}

// EnrolCertificate adds a certificate (DER) to db, the list of those whose programs
// the firmware starts, in a file of UEFI variables: what an owner does in the
// firmware's setup.
func EnrolCertificate(file string, der []byte) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	if len(b) < 0x40 || string(b[0x28:0x2c]) != "_FVH" {
		return errors.New(file + " is not a file of UEFI variables")
	}
	start := int(le.Uint16(b[0x30:]))
	end := start + int(le.Uint32(b[start+16:]))
	db := -1
	at := start + storeHeader
	for ; at+variableHeader < end && le.Uint16(b[at:]) == variableMagic; at = (at + variableSize(b[at:]) + 3) &^ 3 {
		name := b[at+variableHeader:][:le.Uint32(b[at+36:])]
		if b[at+2] == stateAdded && bytes.Equal(name, []byte("d\x00b\x00\x00\x00")) {
			db = at
		}
	}
	if db < 0 {
		return errors.New(file + " holds no db")
	}
	record := bytes.Clone(b[db : db+variableSize(b[db:])])
	list := bytes.Clone(x509List)
	list = le.AppendUint32(list, uint32(16+12+16+len(der))) // size of the list
	list = le.AppendUint32(list, 0)                         // no list header
	list = le.AppendUint32(list, uint32(16+len(der)))       // size of its one entry
	list = append(list, "slipway lab user"...)              // whose it is
	record = append(append(record, list...), der...)
	le.PutUint32(record[40:], le.Uint32(record[40:])+uint32(len(list)+len(der)))
	if at+len(record) > end {
		return errors.New(file + ": no room for another certificate")
	}
	b[db+2] = stateDeleted
	copy(b[at:], record)
	return os.WriteFile(file, b, 0o644)
}

// variableSize is the length of the record that b begins with.
func variableSize(b []byte) int {
	return variableHeader + int(binary.LittleEndian.Uint32(b[36:])) + int(binary.LittleEndian.Uint32(b[40:]))
}
