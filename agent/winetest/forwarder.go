// Package winetest runs programs for Windows under Wine, for tests: an own prefix for
// each, fakes of Windows' tools that come before Wine's, and no way to the disks of the
// machine that runs the tests.
package winetest

import (
	"bytes"
	"encoding/binary"
)

// forwarder is a DLL without code that hands one function on to another DLL's. Go
// needs ProcessPrng of bcryptprimitives.dll, which Wine 8 does not have. The layout
// is that of PE32+ with one section, which holds the export directory.
func forwarder(dll, function, to string) []byte {
	const (
		at   = 0x1000 // of the section in memory
		file = 0x200  // of the section in the file
	)
	put := func(b *bytes.Buffer, values ...any) {
		for _, v := range values {
			_ = binary.Write(b, binary.LittleEndian, v) // to memory
		}
	}
	const address, name, ordinal, texts = 40, 44, 48, 50 // tables of one entry behind the directory
	dllAt, functionAt := uint32(at+texts), uint32(at+texts+len(dll)+1)
	toAt := functionAt + uint32(len(function)) + 1
	var edata bytes.Buffer
	put(&edata, uint32(0), uint32(0), uint32(0), dllAt, uint32(1), uint32(1), uint32(1), uint32(at+address), uint32(at+name), uint32(at+ordinal))
	put(&edata, toAt, functionAt, uint16(0))
	edata.WriteString(dll + "\x00" + function + "\x00" + to + "\x00")

	var b bytes.Buffer
	b.WriteString("MZ")
	b.Write(make([]byte, 58))
	put(&b, uint32(0x40))
	b.WriteString("PE\x00\x00")
	put(&b, uint16(0x8664), uint16(1), [3]uint32{}, uint16(240), uint16(0x2022))                                       // x64, one section, a DLL
	put(&b, uint16(0x20b), uint16(0), uint32(0), uint32(0x200), uint32(0), uint32(0), uint32(at), uint64(0x180000000)) // PE32+
	put(&b, uint32(0x1000), uint32(0x200), uint16(6), [3]uint16{}, uint16(6), uint16(0), uint32(0))                    // alignments, versions
	put(&b, uint32(0x2000), uint32(file), uint32(0), uint16(3), uint16(0x140), uint64(1<<20), uint64(0x1000), uint64(1<<20), uint64(0x1000), uint32(0), uint32(16))
	put(&b, uint32(at), uint32(edata.Len()), [15]uint64{}) // data directories: exports only
	b.WriteString(".edata\x00\x00")
	put(&b, uint32(edata.Len()), uint32(at), uint32(0x200), uint32(file), [3]uint32{}, uint32(0x40000040))
	b.Write(make([]byte, file-b.Len()))
	b.Write(edata.Bytes())
	b.Write(make([]byte, 2*file-b.Len()))
	return b.Bytes()
}
