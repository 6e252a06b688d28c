// Package fat writes small FAT16 file systems, as UEFI wants its system partition
// on removable media (UEFI specification 2.10, 13.3; the layout is that of
// Microsoft's "FAT: General Overview of On-Disk Format", 1.03).
//
// The bytes depend on the arguments alone: every time stamp is 1 January 2000, and
// files lie one behind the other in the order of their names.
package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// File is one file: a path of names of the form 8.3 in upper case, separated by
// slashes.
type File struct {
	Path    string
	Content []byte
}

const (
	sector        = 512
	discBlock     = 2048 / sector
	reserved      = 4 // so that the size can be a whole number of CD blocks whatever the cluster
	tables        = 2
	rootEntries   = 512
	entrySize     = 32
	rootSectors   = rootEntries * entrySize / sector
	minClusters   = 4085  // fewer would be FAT12
	maxClusters   = 65524 // more would be FAT32
	mediaDisk     = 0xf8
	attrVolume    = 0x08
	attrDirectory = 0x10
	attrArchive   = 0x20
	endOfChain    = 0xffff
	fixedDate     = 20<<9 | 1<<5 | 1 // 1 January 2000
)

// folder is a directory under construction.
type folder struct {
	path    string
	entries []byte
	cluster int // first cluster; 0: the root
}

// volume is a file system under construction.
type volume struct {
	perCluster int // sectors
	clusters   int
	table      []uint16
	data       []byte
	root       *folder
	folders    map[string]*folder
}

// Write writes a file system with these files to w: label has up to eleven
// characters, serial is the volume's id. Its size follows from the files.
func Write(w io.Writer, label string, serial uint32, files []File) error {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	v, err := plan(files)
	if err != nil {
		return err
	}
	name, err := padded(label, 11)
	if err != nil {
		return err
	}
	v.root.entries = append(entry(name, attrVolume, 0, 0), v.root.entries...)
	if err := v.fill(files); err != nil {
		return err
	}
	for _, part := range [][]byte{grown(v.bootSector(name, serial), reserved*sector), v.fat(), v.fat(), grown(v.root.entries, rootSectors*sector), v.data} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// plan chooses the cluster size and makes room for folders and files.
func plan(files []File) (*volume, error) {
	v := &volume{root: &folder{}, folders: map[string]*folder{}}
	v.folders["."] = v.root
	var bytes int
	for _, f := range files {
		if path.Clean(f.Path) != f.Path || path.IsAbs(f.Path) {
			return nil, fmt.Errorf("fat: bad path %q", f.Path)
		}
		bytes += len(f.Content) + sector
		for d := path.Dir(f.Path); d != "."; d = path.Dir(d) {
			if v.folders[d] == nil {
				v.folders[d] = &folder{path: d}
			}
		}
	}
	for v.perCluster = 1; v.perCluster <= 64; v.perCluster *= 2 {
		size := v.perCluster * sector
		needed := len(v.folders)
		for _, f := range files {
			needed += (len(f.Content) + size - 1) / size
		}
		// Whole CD blocks: a partition table in a hybrid ISO counts in those.
		for v.clusters = max(needed, minClusters); v.sectors()%discBlock != 0 && v.clusters < maxClusters; v.clusters++ {
		}
		if v.clusters <= maxClusters {
			v.table = append(make([]uint16, 0, v.clusters+2), 0xff00|mediaDisk, endOfChain)
			return v, nil
		}
	}
	return nil, fmt.Errorf("fat: %d bytes are too many for FAT16", bytes)
}

// fill lays out folders, each in one cluster, and then the files.
func (v *volume) fill(files []File) error {
	var names []string
	for d := range v.folders {
		if d != "." {
			names = append(names, d)
		}
	}
	slices.Sort(names) // a folder comes before what is in it
	for _, d := range names {
		f, parent := v.folders[d], v.folders[path.Dir(d)]
		f.cluster = v.place(make([]byte, v.perCluster*sector))
		f.entries = append(entry(".          ", attrDirectory, f.cluster, 0), entry("..         ", attrDirectory, parent.cluster, 0)...)
		if err := parent.add(path.Base(d), attrDirectory, f.cluster, 0); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := v.folders[path.Dir(f.Path)].add(path.Base(f.Path), attrArchive, v.place(f.Content), len(f.Content)); err != nil {
			return err
		}
	}
	for _, d := range names {
		f := v.folders[d]
		if len(f.entries) > v.perCluster*sector {
			return fmt.Errorf("fat: too many files in %s", d)
		}
		copy(v.data[(f.cluster-2)*v.perCluster*sector:], f.entries)
	}
	if len(v.root.entries) > rootSectors*sector {
		return errors.New("fat: too many files in the root")
	}
	v.data = grown(v.data, v.clusters*v.perCluster*sector)
	return nil
}

// place appends content in a chain of its own and returns its first cluster; an
// empty file has none.
func (v *volume) place(content []byte) int {
	first, size := len(v.table), v.perCluster*sector
	count := (len(content) + size - 1) / size
	if count == 0 {
		return 0
	}
	for n := 1; n < count; n++ {
		v.table = append(v.table, uint16(first+n))
	}
	v.table = append(v.table, endOfChain)
	v.data = append(v.data, grown(content, count*size)...)
	return first
}

func (f *folder) add(name string, attributes byte, cluster, size int) error {
	base, ext, _ := strings.Cut(name, ".")
	b, err := padded(base, 8)
	if err != nil {
		return err
	}
	e, err := padded(ext, 3)
	if err != nil {
		return err
	}
	f.entries = append(f.entries, entry(b+e, attributes, cluster, size)...)
	return nil
}

// entry is a directory entry; name has eleven characters.
func entry(name string, attributes byte, cluster, size int) []byte {
	e := make([]byte, entrySize)
	copy(e, name)
	e[11] = attributes
	if attributes != attrVolume {
		binary.LittleEndian.PutUint16(e[16:], fixedDate) // made
		binary.LittleEndian.PutUint16(e[18:], fixedDate) // read
	}
	binary.LittleEndian.PutUint16(e[24:], fixedDate) // written
	binary.LittleEndian.PutUint16(e[26:], uint16(cluster))
	binary.LittleEndian.PutUint32(e[28:], uint32(size))
	return e
}

func (v *volume) fatSectors() int { return ((v.clusters+2)*2 + sector - 1) / sector }

// sectors is the size of the whole file system.
func (v *volume) sectors() int {
	return reserved + tables*v.fatSectors() + rootSectors + v.clusters*v.perCluster
}

func (v *volume) fat() []byte {
	out := make([]byte, v.fatSectors()*sector)
	for i, next := range v.table {
		binary.LittleEndian.PutUint16(out[i*2:], next)
	}
	return out
}

func (v *volume) bootSector(label string, serial uint32) []byte {
	b := make([]byte, sector)
	copy(b, "\xeb\x3c\x90SLIPWAY ")
	le := binary.LittleEndian
	le.PutUint16(b[11:], sector)
	b[13] = byte(v.perCluster)
	le.PutUint16(b[14:], reserved)
	b[16] = tables
	le.PutUint16(b[17:], rootEntries)
	if total := v.sectors(); total < 1<<16 {
		le.PutUint16(b[19:], uint16(total))
	} else {
		le.PutUint32(b[32:], uint32(total))
	}
	b[21] = mediaDisk
	le.PutUint16(b[22:], uint16(v.fatSectors()))
	le.PutUint16(b[24:], 32) // sectors per track, heads: of no meaning here
	le.PutUint16(b[26:], 64)
	b[36], b[38] = 0x80, 0x29
	le.PutUint32(b[39:], serial)
	copy(b[43:], label)
	copy(b[54:], "FAT16   ")
	b[510], b[511] = 0x55, 0xaa
	return b
}

// padded checks a name and fills it up with spaces.
func padded(s string, n int) (string, error) {
	if len(s) > n {
		return "", fmt.Errorf("fat: name %q has more than %d characters", s, n)
	}
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return "", fmt.Errorf("fat: name %q: use A to Z, digits, _ and -", s)
		}
	}
	return s + strings.Repeat(" ", n-len(s)), nil
}

func grown(b []byte, n int) []byte {
	out := make([]byte, n)
	copy(out, b)
	return out
}
