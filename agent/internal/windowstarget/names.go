package windowstarget

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Paths below the root of the volume, with slashes. Windows ignores the case of letters;
// on Linux the names that are there already are found in any case.
const (
	Folder        = "ProgramData/Slipway"
	Deployment    = Folder + "/deployment"
	Agent         = Deployment + "/slipway-agent.exe"
	Config        = Deployment + "/agent.json"
	State         = Folder + "/state"
	OwnConfig     = Folder + "/agent.json"
	AnswerFile    = "Windows/Panther/unattend.xml" // Windows Setup looks there for the answers of a system that was applied
	SetupComplete = "Windows/Setup/Scripts/SetupComplete.cmd"
)

// ErrNoWindows says that a volume holds no Windows.
var ErrNoWindows = errors.New("there is no Windows on this volume")

// IsWindows reports whether root is the root of a Windows volume.
func IsWindows(root string) bool {
	volume, err := os.OpenRoot(root)
	if err != nil {
		return false
	}
	defer volume.Close()
	info, err := volume.Stat(find(volume, "Windows/System32"))
	return err == nil && info.IsDir()
}

// find gives a path the spelling that its elements have on the volume: NTFS on Linux
// tells capitals from small letters, Windows does not.
func find(volume *os.Root, name string) string {
	at := "."
	for _, element := range strings.Split(name, "/") {
		at = path.Join(at, spelled(volume, at, element))
	}
	return at
}

func spelled(volume *os.Root, dir, name string) string {
	if _, err := volume.Lstat(path.Join(dir, name)); err == nil {
		return name
	}
	entries, err := fs.ReadDir(volume.FS(), dir)
	if err != nil {
		return name
	}
	for _, e := range entries {
		if strings.EqualFold(e.Name(), name) {
			return e.Name()
		}
	}
	return name
}
