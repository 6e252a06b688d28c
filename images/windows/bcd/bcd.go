package bcd

import (
	"errors"
	"fmt"
	"time"
)

// Firmware is what starts the boot manager.
type Firmware int

// The firmware; they differ in the loader's name and the manager's path.
const (
	UEFI Firmware = iota
	BIOS
)

// loaderName is where the loader lies in a Windows folder.
func loaderName(f Firmware) string {
	if f == BIOS {
		return `System32\winload.exe`
	}
	return `System32\winload.efi`
}

// RAMDiskBoot describes a store for Windows PE that boots into memory from where the
// boot manager itself came: a medium, a RAM disk of the firmware, or a TFTP server.
type RAMDiskBoot struct {
	Firmware    Firmware
	Loader      GUID   // of the one entry
	Description string // shown when there is a menu, and by bcdedit
	WIM         string // "\sources\boot.wim"
	SDI         string // "\boot\boot.sdi"
	// Of the transfer by TFTP; 0 leaves them to the boot manager.
	TFTPBlockSize, TFTPWindowSize int
	At                            time.Time
}

// Write makes the store.
func (b RAMDiskBoot) Write() ([]byte, error) {
	if b.TFTPBlockSize < 0 || b.TFTPBlockSize > 65464 || b.TFTPWindowSize < 0 || b.TFTPWindowSize > 65535 {
		return nil, fmt.Errorf("TFTP block size %d, window %d: %w", b.TFTPBlockSize, b.TFTPWindowSize, ErrStore)
	}
	ram := RAMDisk(Boot(), b.WIM, RAMDiskOptions)
	options := newObject(typeDeviceSettings).device(sdiDevice, Boot()).path(sdiPath, b.SDI)
	if b.TFTPBlockSize > 0 {
		options.number(tftpBlockSize, uint64(b.TFTPBlockSize))
	}
	if b.TFTPWindowSize > 0 {
		options.number(tftpWindowSize, uint64(b.TFTPWindowSize))
	}
	s := store{}
	err := errors.Join(
		s.add(BootManager, newObject(typeBootManager).text(description, "Windows Boot Manager").object(defaultObject, b.Loader).
			objects(displayOrder, b.Loader).number(timeout, 0)),
		s.add(RAMDiskOptions, options),
		s.add(b.Loader, newObject(typeLoader).device(device, ram).path(path, `\Windows\`+loaderName(b.Firmware)).
			text(description, b.Description).device(osDevice, ram).path(systemRoot, `\Windows`).
			truth(detectHAL, true).truth(winPE, true)))
	if err != nil {
		return nil, err
	}
	return s.write(b.At)
}

// Installed describes the store of an installed Windows, as bcdboot makes it, without
// resume from hibernation and memory test.
type Installed struct {
	Firmware    Firmware
	System      Device // the partition of the boot manager: EFI system partition, or the active one
	Windows     Device
	Loader      GUID
	Description string // "Windows 11"
	Locale      string // "en-US"; of the boot manager's texts
	Timeout     int    // of the menu, in seconds; it is shown when there are several entries
	Recovery    *Recovery
	At          time.Time
}

// Recovery is the recovery environment: a Windows PE on a partition.
type Recovery struct {
	Partition Device
	Loader    GUID
	Options   GUID   // of its RAM disk
	WIM       string // `\Recovery\WindowsRE\Winre.wim`
	SDI       string // `\Recovery\WindowsRE\boot.sdi`
}

// Write makes the store.
func (b Installed) Write() ([]byte, error) {
	if b.Timeout < 0 {
		return nil, fmt.Errorf("timeout %d: %w", b.Timeout, ErrStore)
	}
	manager := newObject(typeBootManager).device(device, b.System).text(description, "Windows Boot Manager").text(locale, b.Locale).
		objects(inherit, globalSettings).object(defaultObject, b.Loader).objects(displayOrder, b.Loader).number(timeout, uint64(b.Timeout))
	if b.Firmware == UEFI {
		manager.path(path, `\EFI\Microsoft\Boot\bootmgfw.efi`)
	}
	loader := newObject(typeLoader).device(device, b.Windows).path(path, `\Windows\`+loaderName(b.Firmware)).
		text(description, b.Description).text(locale, b.Locale).objects(inherit, loaderSettings).truth(isolatedContext, true).
		device(osDevice, b.Windows).path(systemRoot, `\Windows`).number(noExecute, executeOptIn).number(bootMenuPolicy, menuStandard)
	s := store{}
	errs := []error{s.settings()}
	if r := b.Recovery; r != nil {
		loader.objects(recoverySequence, r.Loader).truth(recoveryEnabled, true)
		errs = append(errs, s.recovery(*r, b))
	}
	errs = append(errs, s.add(BootManager, manager), s.add(b.Loader, loader))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s.write(b.At)
}

func (s store) recovery(r Recovery, b Installed) error {
	ram := RAMDisk(r.Partition, r.WIM, r.Options)
	return errors.Join(
		s.add(r.Loader, newObject(typeLoader).device(device, ram).path(path, `\Windows\`+loaderName(b.Firmware)).
			text(description, "Windows Recovery Environment").text(locale, b.Locale).objects(inherit, loaderSettings).
			device(osDevice, ram).path(systemRoot, `\Windows`).number(noExecute, executeOptIn).number(bootMenuPolicy, menuStandard).truth(winPE, true)),
		s.add(r.Options, newObject(typeDeviceSettings).text(description, "Windows Recovery").device(sdiDevice, r.Partition).path(sdiPath, r.SDI)))
}

// settings are the objects that others inherit from.
func (s store) settings() error {
	return errors.Join(
		s.add(globalSettings, newObject(typeInherit).objects(inherit, debuggerSettings, serialSettings, badMemory)),
		s.add(debuggerSettings, newObject(typeInherit).number(debugType, debuggerLocal)),
		s.add(serialSettings, newObject(typeInherit).truth(serialConsole, false)),
		s.add(badMemory, newObject(typeInherit)),
		s.add(loaderSettings, newObject(typeInheritLoader).objects(inherit, globalSettings, hypervisorSetting)),
		s.add(hypervisorSetting, newObject(typeInheritLoader)))
}
