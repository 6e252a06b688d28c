package installed

import "os"

// readByOthers looks at the mode bits.
func readByOthers(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().Perm()&0o044 != 0
}

func closeToOthers(name string) string { return "chmod 600 " + name }

// changeableByOthers looks at a file that is open: who can change it commands the agent.
func changeableByOthers(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o022 != 0
}

func closeToChanges(name string) string { return "chmod go-w " + name }
