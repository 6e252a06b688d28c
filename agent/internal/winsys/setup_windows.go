package winsys

import (
	"context"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// oobeComplete is OOBEComplete (oobenotification.h, since Windows 7): whether the
// first-run dialogs are over.
var oobeComplete = windows.NewLazySystemDLL("kernel32.dll").NewProc("OOBEComplete")

// InSetup reports whether Windows Setup still works on this Windows: one of its passes
// runs, or the first-run dialogs are not over.
func InSetup() bool {
	if k, err := registry.OpenKey(registry.LOCAL_MACHINE, `SYSTEM\Setup`, registry.QUERY_VALUE); err == nil {
		defer k.Close()
		for _, name := range []string{"SystemSetupInProgress", "OOBEInProgress"} {
			if n, _, err := k.GetIntegerValue(name); err == nil && n != 0 {
				return true
			}
		}
	}
	if oobeComplete.Find() != nil {
		return false
	}
	var over int32
	ok, _, _ := oobeComplete.Call(uintptr(unsafe.Pointer(&over)))
	return ok != 0 && over == 0
}

// AfterSetup waits until Windows Setup is over. waiting is called when there is
// something to wait for. The error is ctx's.
func AfterSetup(ctx context.Context, waiting func()) error {
	if !InSetup() {
		return nil
	}
	waiting()
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if !InSetup() {
				return nil
			}
		}
	}
}
