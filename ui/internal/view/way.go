package view

import (
	"strings"

	"slipway/fleet"
)

// WayText names a way of starting UEFI firmware.
func WayText(w fleet.BootWay) string {
	switch w {
	case fleet.BootByIPXE:
		return "iPXE"
	case fleet.BootByOneFile:
		return "One file"
	case fleet.BootByShim:
		return "Debian's shim and GRUB"
	case fleet.BootBySignedIPXE:
		return "Signed iPXE"
	}
	return string(w)
}

// WayAdvice says which way suits a machine, by what its agent reported.
func WayAdvice(d fleet.Device) string {
	if d.Firmware == "bios" {
		return "This machine starts by BIOS and always gets iPXE."
	}
	db := strings.Split(d.Facts["SecureBootDB"], ",")
	has := func(name string) bool {
		for _, c := range db {
			if strings.TrimSpace(c) == name {
				return true
			}
		}
		return false
	}
	shim := "Debian's shim works where the DHCP lease names this appliance as next server, not beside a server that does not: GRUB asks whom the lease names."
	switch {
	case d.Facts["SecureBoot"] == "":
		return "Whether Secure Boot is on is known once its agent has reported. With Secure Boot on, iPXE is refused. " + shim
	case d.Facts["SecureBoot"] != "True":
		return "Secure Boot is off here: every way works, one file is the fastest."
	case has("2011"):
		return "Secure Boot is on and the firmware knows Microsoft's certificate of 2011. " + shim + " Signed iPXE works beside any server; one file needs your own key in the firmware."
	case has("2023"):
		return "Secure Boot is on and the firmware knows only Microsoft's certificate of 2023: it starts only loaders signed under that one. One file works with your own key in the firmware."
	}
	return "Secure Boot is on and the firmware knows none of Microsoft's certificates for loaders: sign the one file with a key that it knows."
}
