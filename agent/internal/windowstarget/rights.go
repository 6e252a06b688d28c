package windowstarget

import "encoding/binary"

// SecurityDescriptor is folderRights or fileRights: owned by the administrators, who and
// SYSTEM may do everything; nothing is inherited from above. Its form is the
// self-relative one that NTFS keeps ([MS-DTYP] 2.4.6). What is in a folder inherits its.
func SecurityDescriptor(folder bool) []byte {
	const (
		selfRelative, protected, autoInherited, present = 0x8000, 0x1000, 0x0400, 0x0004 // control
		toObjects, toFolders                            = 1, 2                           // flags of an entry
		everything                                      = 0x001f01ff                     // FILE_ALL_ACCESS
	)
	le := binary.LittleEndian
	sid := func(authorities ...uint32) []byte { // of NT Authority, S-1-5-…
		b := []byte{1, byte(len(authorities)), 0, 0, 0, 0, 0, 5}
		for _, a := range authorities {
			b = le.AppendUint32(b, a)
		}
		return b
	}
	administrators, system := sid(32, 544), sid(18)
	var flags byte
	if folder {
		flags = toObjects | toFolders
	}
	var entries []byte
	for _, who := range [][]byte{system, administrators} {
		entries = append(entries, 0, flags) // access allowed
		entries = le.AppendUint16(entries, uint16(8+len(who)))
		entries = le.AppendUint32(entries, everything)
		entries = append(entries, who...)
	}
	acl := append(le.AppendUint16([]byte{2, 0}, uint16(8+len(entries))), 2, 0, 0, 0)
	acl = append(acl, entries...)
	const header = 20
	b := le.AppendUint16([]byte{1, 0}, selfRelative|protected|autoInherited|present)
	b = le.AppendUint32(b, uint32(header+len(acl)))                     // owner
	b = le.AppendUint32(b, uint32(header+len(acl)+len(administrators))) // group
	b = le.AppendUint32(le.AppendUint32(b, 0), header)                  // no SACL; DACL
	return append(append(append(b, acl...), administrators...), system...)
}
