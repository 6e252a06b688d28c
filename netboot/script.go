package netboot

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// iPXE has no quoting: a line is split at white space, `${...}` is expanded
// everywhere, `||`, `&&` and a leading `#` mean something, and there is no
// escape. So nothing is escaped here; what is not plainly harmless is refused.

// Placeholders that a Boot's command line may hold as the end of an argument
// ("slipway.lease=" + LoaderAddress). The loader fills them in.
const (
	LoaderAddress = "${ip}"              // address the loader got by DHCP
	LoaderMAC     = "${netX/mac:hexhyp}" // "52-54-00-12-34-56", of the adapter in use
)

// errUnsafe says that something cannot be written into a boot script.
var errUnsafe = errors.New("not allowed in a boot script")

// stall ends a transfer of which nothing has come for 30 s. iPXE by itself waits for
// ever when the cable is pulled in the midst of one.
const stall = "--timeout 30000 "

// maxLine bounds a script line: x86 Linux takes a command line of 2,048 bytes.
const maxLine = 2000

// safeArgument accepts the arguments that iPXE passes through unchanged.
func safeArgument(s string) error {
	rest := s
	for _, p := range []string{LoaderAddress, LoaderMAC} {
		if strings.HasSuffix(rest, p) {
			rest = strings.TrimSuffix(rest, p)
			break
		}
	}
	if s == "" || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "#") {
		return fmt.Errorf("argument %q: %w", s, errUnsafe)
	}
	for _, c := range []byte(rest) {
		if !isAlphanumeric(c) && !strings.ContainsRune("._:/=,@+%-", rune(c)) {
			return fmt.Errorf("argument %q: character %q: %w", s, c, errUnsafe)
		}
	}
	return nil
}

// safePath accepts "<segment>/<segment>" of letters, digits, dot, dash and
// underscore, no segment starting with a dot.
func safePath(p string) error {
	for seg := range strings.SplitSeq(p, "/") {
		if !safeSegment(seg) {
			return fmt.Errorf("path %q: %w", p, errUnsafe)
		}
	}
	return nil
}

func safeSegment(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if !isAlphanumeric(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// safeText turns a message into text that `echo` prints as it stands. Other
// characters become spaces: a message is for people and must not be lost.
func safeText(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < 0x80 && (isAlphanumeric(byte(r)) || strings.ContainsRune(".,:;()/?!=_+-", r)) {
			return r
		}
		return ' '
	}, s)
	words := strings.Fields(clean)
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		words = words[1:] // `echo` would take it for an option
	}
	text := strings.Join(words, " ")
	return text[:min(len(text), 300)]
}

// script is what a boot script is made of.
type script struct {
	site  site
	self  string // path and query of this script, for loading it again
	fw    Firmware
	lines []string
}

func (s *script) add(lines ...string) { s.lines = append(s.lines, lines...) }

func (s *script) text() string { return "#!ipxe\n" + strings.Join(s.lines, "\n") + "\n" }

// renderScript makes the boot script for a decision.
func renderScript(st site, self string, fw Firmware, boot Boot) (string, error) {
	s := &script{site: st, self: self, fw: fw}
	if boot.Windows != nil && boot.Message == "" {
		boot.Message = boot.Windows.message(fw)
	}
	switch {
	case boot.Target == TargetDisk:
		s.disk()
	case boot.Target == TargetImage && (boot.Kernel != "" || boot.Windows != nil && boot.Message == ""):
		if err := s.image(boot); err != nil {
			return "", err
		}
	case boot.Target == TargetImage:
		message := boot.Message
		if safeText(message) == "" {
			message = "the appliance has nothing to boot for this machine yet"
		}
		s.message(message, 15)
	default:
		return "", fmt.Errorf("boot target %q: %w", boot.Target, errUnsafe)
	}
	return s.text(), nil
}

// disk leaves for the local disk. UEFI: a failure status sends EDK2 to the next
// boot entry; success would make it show its boot menu. BIOS: the disk is
// started directly, since leaving would reach the network entry again when the
// ROM is not BBS compliant.
func (s *script) disk() {
	s.add("echo Slipway: starting from the local disk.")
	if s.fw != BIOS {
		s.add("exit 1")
		return
	}
	s.add(
		"sanboot --no-describe --drive 0x80 || goto failed",
		":failed",
		"echo Slipway: the local disk could not be started. The firmware goes on in 10 seconds.",
		"sleep 10",
		"exit 1",
	)
}

// image loads and starts a kernel. When loading fails, every adapter the loader
// knows is configured in turn and tried (snponly.efi knows the one it came
// from), five rounds long. `ifconf -c dhcp` leaves out IPv6, whose router
// advertisement iPXE would await for some 13 seconds.
func (s *script) image(b Boot) error {
	load, err := s.loadLines(b)
	if err != nil {
		return err
	}
	s.add("set round:int32 0", "set nic:int32 0", ":load", "imgfree ||")
	s.add(load...)
	s.add(
		"boot || goto failed",
		":failed",
		"isset ${net${nic}/mac} || goto again",
		"set adapter net${nic}",
		"inc nic",
		"echo Slipway: loading failed. Trying again on adapter ${adapter}.",
		"ifclose ||",
		"ifconf -c dhcp ${adapter} || goto failed",
		"goto load",
		":again",
		"set nic:int32 0",
		"inc round",
		"iseq ${round} 5 && goto giveup ||",
		"echo Slipway: no adapter reached the appliance at "+s.address()+". Trying again in 10 seconds.",
		"sleep 10",
		"goto failed",
		":giveup",
		"echo Slipway: the boot image could not be loaded from "+s.address()+". Restarting in 30 seconds.",
		"sleep 30",
		"reboot",
	)
	return nil
}

// loadLines are the kernel and initrd commands. EFI kernels find an initrd by
// the names on the command line (`initrd=`); BIOS ignores them.
func (s *script) loadLines(b Boot) ([]string, error) {
	if b.Windows != nil {
		return s.windowsLines(*b.Windows)
	}
	file := b.Kernel
	if s.fw == BIOS && b.FastKernel != "" {
		file = b.FastKernel // nobody checks signatures there
	}
	if err := safePath(file); err != nil {
		return nil, err
	}
	kernel := []string{"kernel " + stall + s.site.httpURL("/boot/"+file)}
	var initrds []string
	for i, p := range b.Initrds {
		if err := safePath(p); err != nil {
			return nil, err
		}
		name := "initrd" + strconv.Itoa(i) + ".img"
		kernel = append(kernel, "initrd="+name)
		initrds = append(initrds, "initrd "+stall+"--name "+name+" "+s.site.httpURL("/boot/"+p)+" || goto failed")
	}
	for _, a := range b.Cmdline {
		if err := safeArgument(a); err != nil {
			return nil, err
		}
		kernel = append(kernel, a)
	}
	if b.Way == WaySigned && s.fw != BIOS {
		// Signed iPXE passes the kernel's signature to the shim of its maker. With
		// Secure Boot off nothing is loaded, and unsigned iPXE has no such command.
		initrds = append(initrds, "shim "+stall+s.site.httpURL("/boot/loaders/"+shimFile)+" ||")
	}
	line := strings.Join(kernel, " ")
	if len(line) > maxLine {
		return nil, fmt.Errorf("kernel command line of %d bytes: %w", len(line), errUnsafe)
	}
	return append([]string{line + " || goto failed"}, initrds...), nil
}

// message shows text, waits and asks again. When the appliance does not answer
// then, the machine restarts and comes back by its firmware.
func (s *script) message(text string, seconds int) {
	s.add(
		"echo",
		"echo Slipway: "+safeText(text),
		"echo Asking the appliance at "+s.address()+" again in "+strconv.Itoa(seconds)+" seconds.",
		"sleep "+strconv.Itoa(seconds),
		"chain "+stall+"--replace --autofree "+s.site.httpURL(s.self)+" || goto failed",
		":failed",
		"echo Slipway: the appliance at "+s.address()+" does not answer. Restarting in 15 seconds.",
		"sleep 15",
		"reboot",
	)
}

func (s *script) address() string { return s.site.addr.String() + ":" + portText(s.site.httpPort) }

// autoexecScript is what loaders that look for autoexec.ipxe get by TFTP: they
// run it before configuring the network themselves, so here the IPv6 wait can
// be left out altogether.
func autoexecScript(st site) string {
	s := &script{site: st}
	s.add(
		"set round:int32 0",
		":round",
		"set nic:int32 0",
		":next",
		"isset ${net${nic}/mac} || goto again",
		"set adapter net${nic}",
		"inc nic",
		"ifconf -c dhcp ${adapter} || goto next",
		"set arch x64",
		"iseq ${buildarch} arm64 && set arch arm64 ||",
		"iseq ${buildarch} i386 && set arch x86 ||",
		"set fw uefi",
		"iseq ${platform} pcbios && set fw bios && set arch x64 ||",
		"chain "+stall+"--replace --autofree "+st.httpURL("/boot/script/${"+"${adapter}/mac:hexraw}")+
			"?uuid=${uuid}&arch=${arch}&fw=${fw}&serial=${serial:uristring}&model=${product:uristring}&manufacturer=${manufacturer:uristring} || goto failed",
		":failed",
		"ifclose ${adapter} ||",
		"goto next",
		":again",
		"inc round",
		"iseq ${round} 5 && goto giveup ||",
		"echo Slipway: no adapter reached the appliance at "+s.address()+". Trying again in 5 seconds.",
		"sleep 5",
		"goto round",
		":giveup",
		"echo Slipway: handing back to the firmware.",
		"exit 1",
	)
	return s.text()
}
