package imaging

import (
	"errors"
	"path"
	"strings"
)

// entryName is where an archive's entry goes below the folder: "." is the folder.
func entryName(name string) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", errors.New("its name holds a NUL")
	}
	if strings.HasPrefix(name, "/") {
		return "", errors.New("its name begins with /")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`its name leads out of the folder ("..")`)
		}
		if len(part) > 255 {
			return "", errors.New("a part of its name is longer than 255 bytes")
		}
	}
	return path.Clean(name), nil
}

// leaves reports whether a link at name, a path below the folder, leads out of it.
// In the root of an operating system an absolute target means that very root.
func leaves(name, target string, system bool) bool {
	if strings.HasPrefix(target, "/") {
		return !system
	}
	to := path.Join(path.Dir(name), target)
	return to == ".." || strings.HasPrefix(to, "../")
}
