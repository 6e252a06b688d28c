package windowstarget

import _ "unsafe" // for go:linkname

// Wine 8 knows the older way to remove files only: without this os.RemoveAll fails.
//
//go:linkname removeTheOldWay internal/syscall/windows.TestDeleteatFallback
var removeTheOldWay bool

func init() { removeTheOldWay = true }
