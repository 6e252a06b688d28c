package facts

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

var (
	kernel32                = windows.NewLazySystemDLL("kernel32.dll")
	getSystemFirmwareTable  = kernel32.NewProc("GetSystemFirmwareTable")
	enumSystemFirmwareTable = kernel32.NewProc("EnumSystemFirmwareTables")
	globalMemoryStatusEx    = kernel32.NewProc("GlobalMemoryStatusEx")
	getFirmwareType         = kernel32.NewProc("GetFirmwareType")
	getSystemPowerStatus    = kernel32.NewProc("GetSystemPowerStatus")
)

// Providers of firmware tables, as GetSystemFirmwareTable names them.
const (
	providerRSMB = 'R'<<24 | 'S'<<16 | 'M'<<8 | 'B'
	providerACPI = 'A'<<24 | 'C'<<16 | 'P'<<8 | 'I'
)

// GatherWindows reads the facts of this machine. WMI is not needed: WinPE has it only
// as an optional component. Disks are the caller's to add.
func GatherWindows() Facts {
	f := Facts{}
	fields := parseRawSMBIOS(firmwareTable(providerRSMB, 0))
	f.hardware(func(name string) string { return fields[name] })
	f["Architecture"] = architecture(runtime.GOARCH)
	f["Memory"] = strconv.FormatUint(memoryMiB(), 10)
	if mhz, ok := registryNumber(`HARDWARE\DESCRIPTION\System\CentralProcessor\0`, "~MHz"); ok {
		f["ProcessorSpeed"] = strconv.FormatUint(mhz, 10)
	}
	f["IsUEFI"] = boolean(isUEFI())
	on, ok := registryNumber(`SYSTEM\CurrentControlSet\Control\SecureBoot\State`, "UEFISecureBootEnabled")
	f["SecureBoot"] = boolean(ok && on == 1)
	tables := firmwareTables(providerACPI)
	f["TPM"] = boolean(strings.Contains(tables, "TPM2") || strings.Contains(tables, "TCPA"))
	if strings.Contains(tables, "TPM2") {
		f["TPMVersion"] = "2"
	}
	f["IsVM"] = boolean(f.virtual())
	f["IsOnBattery"] = boolean(onBatteryWindows())
	f["OSVersion"] = "FullOS"
	if IsWinPE() {
		f["OSVersion"] = "WinPE"
	}
	f.set("OSName", registryText(`SOFTWARE\Microsoft\Windows NT\CurrentVersion`, "ProductName"))
	f.set("OSBuild", registryText(`SOFTWARE\Microsoft\Windows NT\CurrentVersion`, "CurrentBuildNumber"))
	return f
}

// IsWinPE reports whether this Windows is WinPE (or WinRE): its system hive has the
// key MiniNT.
func IsWinPE() bool {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\CurrentControlSet\Control\MiniNT`, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	k.Close()
	return true
}

// SystemDrive is the drive of the running Windows, e.g. `X:\`.
func SystemDrive() string {
	dir, err := windows.GetSystemWindowsDirectory()
	if err != nil || len(dir) < 3 {
		return `C:\`
	}
	return dir[:3]
}

// DiskText is a disk's line in the fact Disks.
func DiskText(name string, size int64, model string) string {
	return strings.TrimSpace(fmt.Sprintf("%s %d GB %s", name, size/1_000_000_000, model))
}

// firmwareTable reads a table of a provider; nil when there is none.
func firmwareTable(provider, id uint32) []byte {
	if getSystemFirmwareTable.Find() != nil {
		return nil
	}
	size, _, _ := getSystemFirmwareTable.Call(uintptr(provider), uintptr(id), 0, 0)
	if size == 0 || size > maxVariable {
		return nil
	}
	b := make([]byte, size)
	n, _, _ := getSystemFirmwareTable.Call(uintptr(provider), uintptr(id), uintptr(unsafe.Pointer(&b[0])), size)
	if n == 0 || n > size {
		return nil
	}
	return b[:n]
}

// firmwareTables lists the names of a provider's tables, four letters each, one behind
// the other.
func firmwareTables(provider uint32) string {
	if enumSystemFirmwareTable.Find() != nil {
		return ""
	}
	size, _, _ := enumSystemFirmwareTable.Call(uintptr(provider), 0, 0)
	if size == 0 || size > maxVariable {
		return ""
	}
	b := make([]byte, size)
	n, _, _ := enumSystemFirmwareTable.Call(uintptr(provider), uintptr(unsafe.Pointer(&b[0])), size)
	if n == 0 || n > size {
		return ""
	}
	return string(b[:n])
}

func memoryMiB() uint64 {
	var m struct { // MEMORYSTATUSEX
		length, load uint32
		total        uint64
		_            [6]uint64
	}
	m.length = uint32(unsafe.Sizeof(m))
	if ok, _, _ := globalMemoryStatusEx.Call(uintptr(unsafe.Pointer(&m))); ok == 0 {
		return 0
	}
	return m.total >> 20
}

// isUEFI asks Windows what firmware started it.
func isUEFI() bool {
	const uefi = 2                     // FirmwareTypeUefi
	if getFirmwareType.Find() != nil { // before Windows 8
		return false
	}
	var kind uint32
	ok, _, _ := getFirmwareType.Call(uintptr(unsafe.Pointer(&kind)))
	return ok != 0 && kind == uefi
}

func onBatteryWindows() bool {
	var s struct { // SYSTEM_POWER_STATUS
		line, flag, percent, status byte
		_                           [2]uint32
	}
	ok, _, _ := getSystemPowerStatus.Call(uintptr(unsafe.Pointer(&s)))
	const noBattery = 128
	return ok != 0 && s.line == 0 && s.flag&noBattery == 0
}

func registryNumber(path, name string) (uint64, bool) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE)
	if err != nil {
		return 0, false
	}
	defer k.Close()
	n, _, err := k.GetIntegerValue(name)
	return n, err == nil
}

func registryText(path, name string) string {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, path, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer k.Close()
	text, _, err := k.GetStringValue(name)
	if err != nil {
		return ""
	}
	return text
}
