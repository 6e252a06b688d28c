package bzimage

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
)

// Packer packs bytes as raw LZMA2, after the branch filter for x86 when x86 is set.
// dictionary is in bytes.
type Packer func(ctx context.Context, content []byte, x86 bool, dictionary int) ([]byte, error)

// Repack returns the kernel with its payload packed again, and without the signature
// it had. The result was unpacked again and compared. Kernels that are built in
// another way, and packed ones that do not fit, give an error that wraps ErrUnknown.
func Repack(ctx context.Context, kernel []byte, pack Packer) ([]byte, error) {
	i, err := parse(kernel)
	if err != nil {
		return nil, err
	}
	raw, err := unpack(i.payload, i.unpacked)
	if err != nil {
		return nil, err
	}
	if len(raw) != i.unpacked {
		return nil, unknown("payload unpacks to %d bytes, not to %d", len(raw), i.unpacked)
	}
	l, err := readLayout(raw)
	if err != nil {
		return nil, err
	}
	small := cut(raw, l)
	var blocks []block
	for _, part := range []struct {
		content []byte
		x86     bool
	}{{small[:l.text], false}, {small[l.text:l.textEnd], true}, {small[l.textEnd:], false}} {
		dictionary, _ := dictionaryFor(len(part.content))
		packed, err := pack(ctx, part.content, part.x86, dictionary)
		if err != nil {
			return nil, fmt.Errorf("pack the kernel again: %w", err)
		}
		blocks = append(blocks, block{part.x86, packed, len(part.content)})
	}
	out, err := i.replace(assemble(blocks), len(small))
	if err != nil {
		return nil, err
	}
	return out, compare(out, raw, l.relocations)
}

// compare reads a packed kernel as if it were unknown, and holds what it loads
// against the payload of the original: each segment's bytes, zeros for those that are
// gone, and the relocations.
func compare(kernel, original []byte, relocations int) error {
	i, err := parse(kernel)
	if err != nil {
		return err
	}
	got, err := unpack(i.payload, i.unpacked)
	if err != nil {
		return err
	}
	if len(got) != i.unpacked || !bytes.HasSuffix(got, original[relocations:]) {
		return unknown("the packed kernel has other relocations")
	}
	a, errA := elf.NewFile(bytes.NewReader(original))
	b, errB := elf.NewFile(bytes.NewReader(got))
	if errA != nil || errB != nil || a.Entry != b.Entry || len(a.Progs) != len(b.Progs) {
		return unknown("the packed kernel is another program")
	}
	for n, p := range a.Progs {
		q := b.Progs[n].ProgHeader
		size := q.Filesz
		if q.Filesz = p.Filesz; q != p.ProgHeader || size > p.Filesz {
			return unknown("the header of segment %d of the packed kernel differs", n)
		}
		if p.Type != elf.PT_LOAD {
			continue
		}
		was := original[p.Off : p.Off+p.Filesz]
		if q.Off+size > uint64(len(got)) || !bytes.Equal(was[:size], got[q.Off:q.Off+size]) || len(bytes.Trim(was[size:], "\x00")) != 0 {
			return unknown("segment %d of the packed kernel differs", n)
		}
	}
	return nil
}
