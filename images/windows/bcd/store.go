// Package bcd writes boot configuration data, the store that Windows' boot manager
// reads: a registry hive of objects and their elements (Microsoft: "Boot
// Configuration Data in Windows Vista"; ids of elements as public lists of bcdedit's
// have them; descriptors of devices as in stores that Windows made).
//
// The bytes depend on the arguments alone: whoever calls chooses the GUIDs and the
// time.
package bcd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"slipway/images/windows/hive"
)

// ErrStore: what was asked for cannot stand in a store.
var ErrStore = errors.New("cannot stand in a boot configuration")

// The objects that every store knows by these GUIDs.
var (
	BootManager       = known("{9dea862c-5cdd-4e70-acc1-f32b344d4795}")
	RAMDiskOptions    = known("{7619dcc8-fafe-11d9-b411-000476eba25f}")
	globalSettings    = known("{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}")
	debuggerSettings  = known("{4636856e-540f-4170-a130-a84776f4c654}")
	serialSettings    = known("{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9}")
	badMemory         = known("{5189b25c-5558-4bf2-bca4-289b11bd29e2}")
	loaderSettings    = known("{6efb52bf-1766-41db-a6b3-0ee5eff72bd7}")
	hypervisorSetting = known("{7ff607e0-4395-11db-b0de-0800200c9a66}")
)

// The types of objects.
const (
	typeBootManager    = 0x10100002
	typeLoader         = 0x10200003
	typeInherit        = 0x20100000
	typeInheritLoader  = 0x20200003
	typeDeviceSettings = 0x30000000
)

// The elements used here. The second digit is the form: 1 device, 2 text, 3 object,
// 4 list of objects, 5 number, 6 truth value.
const (
	device           = 0x11000001
	path             = 0x12000002
	description      = 0x12000004
	locale           = 0x12000005
	inherit          = 0x14000006
	recoverySequence = 0x14000008
	debugType        = 0x15000011
	recoveryEnabled  = 0x16000009
	serialConsole    = 0x16000020
	isolatedContext  = 0x16000060
	osDevice         = 0x21000001
	systemRoot       = 0x22000002
	defaultObject    = 0x23000003
	displayOrder     = 0x24000001
	timeout          = 0x25000004
	noExecute        = 0x25000020
	bootMenuPolicy   = 0x250000c2
	detectHAL        = 0x26000010
	winPE            = 0x26000022
	sdiDevice        = 0x31000003
	sdiPath          = 0x32000004
	tftpBlockSize    = 0x35000007
	tftpWindowSize   = 0x35000008
	menuStandard     = 1
	executeOptIn     = 0
	debuggerLocal    = 4 // what bcdboot writes; no debugging is switched on by it
)

// object collects elements; the first error stays.
type object struct {
	kind     uint32
	elements map[uint32]hive.Value
	err      error
}

func newObject(kind uint32) *object {
	return &object{kind: kind, elements: map[uint32]hive.Value{}}
}

func (o *object) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

func (o *object) device(id uint32, d Device) *object {
	b, err := d.bytes()
	if err != nil {
		o.fail(err)
	}
	o.elements[id] = hive.Bytes(b)
	return o
}

func (o *object) text(id uint32, s string) *object {
	for _, c := range s {
		if c < 0x20 {
			o.fail(fmt.Errorf("text %q: %w", s, ErrStore))
		}
	}
	o.elements[id] = hive.String(s)
	return o
}

// path is a text that names a file on a device.
func (o *object) path(id uint32, s string) *object {
	if err := checkPath(s); err != nil {
		o.fail(err)
	}
	return o.text(id, s)
}

func (o *object) object(id uint32, g GUID) *object {
	o.elements[id] = hive.String(g.String())
	return o
}

func (o *object) objects(id uint32, list ...GUID) *object {
	var texts []string
	for _, g := range list {
		texts = append(texts, g.String())
	}
	o.elements[id] = hive.Strings(texts...)
	return o
}

func (o *object) number(id uint32, n uint64) *object {
	o.elements[id] = hive.Bytes(binary.LittleEndian.AppendUint64(nil, n))
	return o
}

func (o *object) truth(id uint32, yes bool) *object {
	b := byte(0)
	if yes {
		b = 1
	}
	o.elements[id] = hive.Bytes([]byte{b})
	return o
}

// store is a store under construction.
type store map[GUID]*object

// add adds an object and refuses a second one of the same GUID.
func (s store) add(g GUID, o *object) error {
	if g == (GUID{}) {
		return fmt.Errorf("an object without a GUID: %w", ErrStore)
	}
	if s[g] != nil {
		return fmt.Errorf("two objects %s: %w", g, ErrStore)
	}
	s[g] = o
	return o.err
}

// write makes the hive.
func (s store) write(at time.Time) ([]byte, error) {
	root := &hive.Key{}
	root.Sub("Description").Set("KeyName", hive.String("BCD00000001"))
	for _, g := range slices.SortedFunc(maps.Keys(s), func(a, b GUID) int { return slices.Compare(a[:], b[:]) }) {
		key := root.Sub(`Objects\` + g.String())
		key.Sub("Description").Set("Type", hive.Uint32(s[g].kind))
		key.Sub("Elements")
		for id, v := range s[g].elements {
			key.Sub(fmt.Sprintf(`Elements\%08x`, id)).Set("Element", v)
		}
	}
	return hive.Write("BCD00000001", root, at)
}
