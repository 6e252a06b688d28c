package fat32

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
)

func (l *layout) tableSectors() int64 { return ((l.clusters+2)*4 + sector - 1) / sector }

// total is the partition's size in sectors.
func (l *layout) total() int64 {
	return reserved + 2*l.tableSectors() + l.clusters*l.perCluster/sector
}

// place gives folders and files their clusters, folders first.
func (l *layout) place() {
	next := uint32(2)
	for _, d := range l.order {
		f := l.folders[d]
		f.cluster = next
		next += uint32(f.count)
	}
	for _, f := range l.files {
		count := uint32((f.size() + l.perCluster - 1) / l.perCluster)
		if count == 0 {
			l.first = append(l.first, 0)
			continue
		}
		l.first = append(l.first, next)
		next += count
	}
	l.used = next - 2
	for _, d := range l.order {
		l.link(d)
	}
}

// link fills the clusters into a folder's entries: names were entered in the order of
// files, so the same walk finds them again.
func (l *layout) link(dir string) {
	f := l.folders[dir]
	at := 0
	set := func(cluster uint32) {
		for f.entries[at+11] == attrLongName {
			at += entrySize
		}
		binary.LittleEndian.PutUint16(f.entries[at+20:], uint16(cluster>>16))
		binary.LittleEndian.PutUint16(f.entries[at+26:], uint16(cluster))
		at += entrySize
	}
	if dir == "." {
		at += entrySize // the label
	} else {
		parent := uint32(0) // the root is named 0
		if p := path.Dir(dir); p != "." {
			parent = l.folders[p].cluster
		}
		set(f.cluster)
		set(parent)
	}
	seen := map[string]bool{}
	for i, file := range l.files {
		for d := path.Dir(file.Path); d != "." && d != dir; d = path.Dir(d) {
			if path.Dir(d) == dir && !seen[d] {
				seen[d] = true
				set(l.folders[d].cluster)
			}
		}
		if path.Dir(file.Path) == dir {
			set(l.first[i])
		}
	}
}

// disk puts the pieces together.
func (l *layout) disk() *Disk {
	d := &Disk{Size: (partitionStart + l.total()) * sector}
	put := func(sectorOf int64, content []byte) {
		d.pieces = append(d.pieces, piece{at: sectorOf * sector, size: int64(len(content)), content: content})
	}
	put(0, l.bootRecord())
	boot, info := l.bootSector(), l.infoSector()
	for _, copyAt := range []int64{0, 6} {
		put(partitionStart+copyAt, boot)
		put(partitionStart+copyAt+1, info)
	}
	table := l.table()
	put(partitionStart+reserved, table)
	put(partitionStart+reserved+l.tableSectors(), table)
	data := (partitionStart + reserved + 2*l.tableSectors()) * sector
	at := func(cluster uint32) int64 { return data + int64(cluster-2)*l.perCluster }
	for _, name := range l.order {
		f := l.folders[name]
		d.pieces = append(d.pieces, piece{at: at(f.cluster), size: int64(len(f.entries)), content: f.entries})
	}
	for i, f := range l.files {
		if l.first[i] != 0 {
			d.pieces = append(d.pieces, piece{at: at(l.first[i]), size: f.size(), content: f.Content, source: f.Source})
		}
	}
	return d
}

// bootRecord names the one partition. It has no boot code: a BIOS cannot start it.
func (l *layout) bootRecord() []byte {
	b := make([]byte, sector)
	le := binary.LittleEndian
	le.PutUint32(b[440:], l.serial)
	e := b[446:]
	e[0] = 0x80
	copy(e[1:], []byte{0xfe, 0xff, 0xff, partitionType, 0xfe, 0xff, 0xff})
	le.PutUint32(e[8:], partitionStart)
	le.PutUint32(e[12:], uint32(l.total()))
	b[510], b[511] = 0x55, 0xaa
	return b
}

func (l *layout) bootSector() []byte {
	b := make([]byte, sector)
	copy(b, "\xeb\x58\x90SLIPWAY ")
	le := binary.LittleEndian
	le.PutUint16(b[11:], sector)
	b[13] = byte(l.perCluster / sector)
	le.PutUint16(b[14:], reserved)
	b[16] = 2
	b[21] = 0xf8
	le.PutUint16(b[24:], 63) // sectors per track, heads: of no meaning here
	le.PutUint16(b[26:], 255)
	le.PutUint32(b[28:], partitionStart)
	le.PutUint32(b[32:], uint32(l.total()))
	le.PutUint32(b[36:], uint32(l.tableSectors()))
	le.PutUint32(b[44:], 2) // the root's cluster
	le.PutUint16(b[48:], 1)
	le.PutUint16(b[50:], 6)
	b[64], b[66] = 0x80, 0x29
	le.PutUint32(b[67:], l.serial)
	copy(b[71:], pad(l.label, 11))
	copy(b[82:], "FAT32   ")
	b[510], b[511] = 0x55, 0xaa
	return b
}

func (l *layout) infoSector() []byte {
	b := make([]byte, sector)
	copy(b, "RRaA")
	copy(b[484:], "rrAa")
	binary.LittleEndian.PutUint32(b[488:], uint32(l.clusters)-l.used)
	binary.LittleEndian.PutUint32(b[492:], 2+l.used)
	b[510], b[511] = 0x55, 0xaa
	return b
}

// table is the file allocation table: every file lies in one piece.
func (l *layout) table() []byte {
	b := make([]byte, l.tableSectors()*sector)
	set := func(cluster, next uint32) { binary.LittleEndian.PutUint32(b[cluster*4:], next) }
	set(0, 0x0ffffff8)
	set(1, endOfChain)
	chain := func(first, count uint32) {
		for n := range count {
			set(first+n, first+n+1)
		}
		if count > 0 {
			set(first+count-1, endOfChain)
		}
	}
	for _, f := range l.folders {
		chain(f.cluster, uint32(f.count))
	}
	for i, f := range l.files {
		chain(l.first[i], uint32((f.size()+l.perCluster-1)/l.perCluster))
	}
	return b
}

// Reader reads a disk. It is not safe for concurrent use.
type Reader struct {
	d    *Disk
	open map[string]*os.File
	pos  int64
}

// Open opens the files that the disk is made of.
func (d *Disk) Open() (*Reader, error) {
	r := &Reader{d: d, open: map[string]*os.File{}}
	for _, p := range d.pieces {
		if p.source == "" || r.open[p.source] != nil {
			continue
		}
		f, err := os.Open(p.source)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		r.open[p.source] = f
	}
	return r, nil
}

// Close closes the files.
func (r *Reader) Close() error {
	var errs []error
	for _, f := range r.open {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Read implements io.Reader.
func (r *Reader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if r.pos >= r.d.Size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), r.d.Size-r.pos)]
	// The last piece that begins at or before the position.
	i := sort.Search(len(r.d.pieces), func(i int) bool { return r.d.pieces[i].at > r.pos }) - 1
	p := r.d.pieces[i]
	n := 0
	switch left := p.at + p.size - r.pos; {
	case left <= 0: // between pieces
		until := r.d.Size
		if i+1 < len(r.d.pieces) {
			until = r.d.pieces[i+1].at
		}
		n = int(min(int64(len(b)), until-r.pos))
		clear(b[:n])
	case p.source == "":
		n = copy(b, p.content[r.pos-p.at:])
	default:
		var err error
		n, err = r.open[p.source].ReadAt(b[:min(int64(len(b)), left)], r.pos-p.at)
		if n == 0 {
			return 0, fmt.Errorf("%s is shorter than it was: %w", p.source, err)
		}
	}
	r.pos += int64(n)
	return n, nil
}

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.d.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	r.pos = offset
	return offset, nil
}
