package wim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode/utf16"

	format "slipway/images/windows/wim"
)

// changedPattern is the time of an image's last change in its description; the
// numbers always have eight digits.
var changedPattern = regexp.MustCompile(`(<LASTMODIFICATIONTIME><HIGHPART>0x)[0-9A-Fa-f]{8}(</HIGHPART><LOWPART>0x)[0-9A-Fa-f]{8}(</LOWPART></LASTMODIFICATIONTIME>)`)

// Stamp gives a file its GUID and its images the time of their last change, in
// place: these are all that two runs of wimlib on the same files give differently.
// The file must have no integrity table.
func Stamp(path string, guid [16]byte, changed time.Time) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = stamp(f, guid, changed)
	return errors.Join(err, f.Sync(), f.Close())
}

func stamp(f *os.File, guid [16]byte, changed time.Time) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h, xml, err := readParts(f, info.Size())
	if err != nil {
		return err
	}
	ticks := uint64(changed.Unix()+11644473600) * 1e7
	before := format.Text(xml)
	after := changedPattern.ReplaceAllString(before, fmt.Sprintf("${1}%08X${2}%08X${3}", ticks>>32, uint32(ticks)))
	if strings.Count(before, "<LASTMODIFICATIONTIME>") != len(changedPattern.FindAllString(before, -1)) {
		return fmt.Errorf("%w: its description has a time in an unknown form", ErrDamaged)
	}
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(after)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	if len(out) != len(xml) {
		return fmt.Errorf("%w: its description is not in UTF-16", ErrDamaged)
	}
	if _, err := f.WriteAt(out, h.xml.offset); err != nil {
		return err
	}
	_, err = f.WriteAt(guid[:], atGUID)
	return err
}
