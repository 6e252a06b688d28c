package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// raft-wal repairs the end of its newest segment when it opens, but it checks only
// the last batch, cannot continue after a crash between sealing a segment and
// making the next, and takes a file that was cut short for a shorter log. So every
// segment is read here first: each batch's checksum is compared, an unfinished
// batch at the end is wiped, a sealed segment is entered as such, and a log that
// lost acknowledged entries is refused.
//
// The layout is that of raft-wal's README: a header of 32 bytes, then frames of
// an 8 byte header (type, 3 reserved, little endian length or CRC) and a payload
// padded to 8 bytes. A commit frame holds the CRC-32C of all bytes since the
// previous commit frame, in the first batch from the start of the file.
const (
	segmentHead = 32
	frameHead   = 8
	frameEntry  = 1
	frameIndex  = 2
	frameCommit = 3
)

// scan is what one segment file holds.
type scan struct {
	entries    uint64 // in whole batches
	end        int64  // offset after the last whole batch
	indexStart uint64 // of the index, when the last whole batch sealed the segment
	lost       bool   // a whole batch follows a broken one: the disk lost data
	cut        bool   // the file ends within frames
}

// scanSegment reads the frames of a segment.
func scanSegment(data []byte) scan {
	var s scan
	var entries, index uint64
	broken := false
	batch := int64(0) // where the present batch begins
	for off := int64(segmentHead); ; {
		if off+frameHead > int64(len(data)) {
			s.cut = true
			return s
		}
		head := data[off : off+frameHead]
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		switch head[0] {
		case frameEntry:
			entries++
		case frameIndex:
			index = uint64(off) + frameHead
		case frameCommit:
			whole := crc32.Checksum(data[batch:off], crcTable) == uint32(size)
			size = 0
			switch {
			case whole && broken:
				s.lost = true
				return s
			case whole:
				s.entries, s.end, s.indexStart = entries, off+frameHead, index
			default:
				broken = true
			}
			batch, index = off+frameHead, 0
		default:
			return s // zeros, or what an unfinished write left
		}
		off += frameHead + (size+7)&^7
	}
}

// repairSegments reads all segments the meta file lists and puts its newest right.
// Segments whose entries are all at or below covered are not needed any more.
func repairSegments(dir string, meta *metaFile, covered uint64) error {
	state, err := meta.Load(dir)
	if err != nil {
		return err
	}
	if err := refuseUnlisted(dir, state); err != nil {
		return err
	}
	for i, info := range state.Segments {
		name := segment.FileName(info)
		if !info.SealTime.IsZero() {
			if err := checkSealed(filepath.Join(dir, name), info, info.MaxIndex > covered); err != nil {
				return err
			}
			continue
		}
		sealed, err := repairTail(filepath.Join(dir, name), info, meta.wasCreated(info.ID))
		if err != nil {
			return err
		}
		if sealed != nil {
			state.Segments = append(state.Segments[:i:i], *sealed, nextSegment(*sealed, state.NextSegmentID))
			state.NextSegmentID++
			return meta.CommitState(state)
		}
	}
	return nil
}

// segmentFiles returns the names of the log's files in a folder.
func segmentFiles(dir string) ([]string, error) {
	names, err := fs.Glob(os.DirFS(dir), "*.wal")
	if err != nil {
		return nil, fmt.Errorf("list the log: %w", err)
	}
	return names, nil
}

// refuseUnlisted refuses a folder whose meta file is older than its log files:
// raft-wal would delete the segments it does not know.
func refuseUnlisted(dir string, state types.PersistentState) error {
	names, err := segmentFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		var base, id uint64
		if _, err := fmt.Sscanf(name, "%020d-%016x.wal", &base, &id); err != nil || id >= state.NextSegmentID {
			return fmt.Errorf("%w: the file %s does not belong to this log; restore a backup", ErrDamaged, filepath.Join(dir, name))
		}
	}
	return nil
}

// checkSealed reads a sealed segment. Only one that is needed must be whole.
func checkSealed(path string, info types.SegmentInfo, needed bool) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w: a log file is missing (%v); restore a backup", ErrDamaged, err)
	}
	s := scanSegment(data)
	if !needed {
		return nil
	}
	// A log truncated at its end has a sealed segment that holds more than its MaxIndex.
	if s.lost || info.BaseIndex+s.entries <= info.MaxIndex || (s.indexStart != info.IndexStart && info.IndexStart != 0) {
		return fmt.Errorf("%w: the log file %s cannot be read beyond byte %d; restore a backup", ErrDamaged, path, s.end)
	}
	return nil
}

// repairTail makes the newest segment fit for appending. It returns the segment's
// new entry for the meta file when the segment turns out to be sealed.
func repairTail(path string, info types.SegmentInfo, created bool) (*types.SegmentInfo, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) && !created {
		return nil, nil // the crash came before it was made; raft-wal makes it now
	}
	if err != nil {
		return nil, fmt.Errorf("%w: a log file is missing (%v); restore a backup", ErrDamaged, err)
	}
	defer f.Close() //nolint:errcheck // read, or written and synced below
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	s := scanSegment(data)
	if s.lost || (s.cut && int64(len(data)) < int64(info.SizeLimit)+segmentSlack) {
		return nil, fmt.Errorf("%w: the log file %s cannot be read beyond byte %d and more was acknowledged; restore a backup",
			ErrDamaged, path, s.end)
	}
	if err := wipe(f, data, s.end); err != nil {
		return nil, err
	}
	if s.indexStart == 0 {
		return nil, nil
	}
	info.SealTime, info.MaxIndex, info.IndexStart = time.Now(), info.BaseIndex+s.entries-1, s.indexStart
	return &info, nil
}

// wipe replaces what follows end by zeros, so that no later repair can take the
// remains of an unfinished write for entries.
func wipe(f *os.File, data []byte, end int64) error {
	last := int64(len(data))
	for last > end && data[last-1] == 0 {
		last--
	}
	if last == end {
		return nil
	}
	if _, err := f.WriteAt(make([]byte, last-end), end); err != nil {
		return fmt.Errorf("wipe an unfinished write: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("wipe an unfinished write: %w", err)
	}
	return nil
}

// nextSegment is the entry of the empty segment that follows a sealed one.
func nextSegment(sealed types.SegmentInfo, id uint64) types.SegmentInfo {
	next := sealed.MaxIndex + 1
	return types.SegmentInfo{ID: id, BaseIndex: next, MinIndex: next, Codec: wal.CodecBinaryV1,
		CreateTime: sealed.SealTime, SizeLimit: sealed.SizeLimit}
}
