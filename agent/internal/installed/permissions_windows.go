package installed

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Rights of files (winnt.h) that let somebody read one, and that let somebody change or
// replace it.
const (
	mayRead   = windows.GENERIC_ALL | windows.GENERIC_READ | windows.FILE_READ_DATA
	mayChange = windows.GENERIC_ALL | windows.GENERIC_WRITE | windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA |
		windows.DELETE | windows.WRITE_DAC | windows.WRITE_OWNER
)

// inheritOnly marks entries that do not count for the file itself (INHERIT_ONLY_ACE).
const inheritOnly = 8

func readByOthers(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	return openTo(f, mayRead)
}

func closeToOthers(name string) string {
	return fmt.Sprintf(`icacls "%s" /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F`, name)
}

// changeableByOthers looks at a file that is open: who can change it commands the agent.
func changeableByOthers(f *os.File) bool { return openTo(f, mayChange) }

func closeToChanges(name string) string { return closeToOthers(name) }

// openTo reports whether the file's access list gives one of the rights to others than
// SYSTEM, the administrators, Windows itself, its owner and who runs the agent. A volume
// that keeps no rights (a stick) is in the hand of who brought it.
func openTo(f *os.File, rights windows.ACCESS_MASK) bool {
	var flags uint32
	h := windows.Handle(f.Fd())
	if err := windows.GetVolumeInformationByHandle(h, nil, 0, nil, nil, &flags, nil, 0); err != nil || flags&windows.FILE_PERSISTENT_ACLS == 0 {
		return false
	}
	sd, err := windows.GetSecurityInfo(h, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return false
	}
	dacl, _, err := sd.DACL()
	if err != nil || dacl == nil { // no list: everybody may do everything
		return true
	}
	trusted := trustees()
	if owner, _, err := sd.Owner(); err == nil {
		trusted = append(trusted, owner)
	}
	for i := range uint32(dacl.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if windows.GetAce(dacl, i, &ace) != nil {
			return true
		}
		if ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE || ace.Header.AceFlags&inheritOnly != 0 || ace.Mask&rights == 0 {
			continue
		}
		if !one((*windows.SID)(unsafe.Pointer(&ace.SidStart)), trusted) {
			return true
		}
	}
	return false
}

// trustees are those who may do everything on the computer anyway, and the agent's user.
func trustees() []*windows.SID {
	var list []*windows.SID
	for _, kind := range []windows.WELL_KNOWN_SID_TYPE{windows.WinLocalSystemSid, windows.WinBuiltinAdministratorsSid} {
		if sid, err := windows.CreateWellKnownSid(kind); err == nil {
			list = append(list, sid)
		}
	}
	// NT SERVICE\TrustedInstaller, by which Windows updates itself.
	if sid, err := windows.StringToSid("S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"); err == nil {
		list = append(list, sid)
	}
	if user, err := windows.GetCurrentProcessToken().GetTokenUser(); err == nil {
		list = append(list, user.User.Sid)
	}
	return list
}

func one(sid *windows.SID, of []*windows.SID) bool {
	for _, s := range of {
		if sid.Equals(s) {
			return true
		}
	}
	return false
}

// strangersOwn reports whether a file or folder belongs to somebody who may not change
// the system: it was put where the agent looks by somebody else.
func strangersOwn(name string) bool {
	sd, err := windows.GetNamedSecurityInfo(name, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return false // there is none, or a volume without rights
	}
	owner, _, err := sd.Owner()
	return err == nil && !one(owner, trustees())
}
