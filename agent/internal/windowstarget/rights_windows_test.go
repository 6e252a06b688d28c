package windowstarget

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// What Linux writes is what Windows makes of the text.
func TestSecurityDescriptorIsTheText(t *testing.T) {
	for folder, text := range map[bool]string{true: folderRights, false: fileRights} {
		b := SecurityDescriptor(folder)
		got := (*windows.SECURITY_DESCRIPTOR)(unsafe.Pointer(&b[0])).String()
		want, err := windows.SecurityDescriptorFromString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got != want.String() || got == "" {
			t.Errorf("%s, not %s", got, want)
		}
	}
}
