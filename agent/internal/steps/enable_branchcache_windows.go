package steps

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/windows/registry"
)

// Where BranchCache keeps its ports and how long it keeps content, below HKLM.
const (
	branchCachePorts = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\PeerDist\DownloadManager\Peers\Connection`
	branchCacheAge   = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\PeerDist\Retrieval`
	// branchCachePath is the address under which peers ask each other ([MS-PCCRR] 2.1).
	branchCachePath = "116B50EB-ECE2-41ac-8429-9F9E963361B7/"
	branchCacheRule = "Slipway: BranchCache"
)

// enableBranchCache lets this Windows share content with its neighbours (distributed
// cache), on a port of its own.
func enableBranchCache(ctx context.Context, s *Step) (Outcome, error) {
	port := s.Settings.Int("BCPort")
	for _, v := range []struct {
		key, name string
		value     int
	}{{branchCachePorts, "ListenPort", port}, {branchCachePorts, "ConnectPort", port}, {branchCacheAge, "SegmentTTL", s.Settings.Int("TTL")}} {
		if err := setMachineNumber(v.key, v.name, v.value); err != nil {
			return Outcome{}, err
		}
	}
	battery := "FALSE"
	if s.Settings.Bool("ServeOnBattery") {
		battery = "TRUE"
	}
	address := fmt.Sprintf("url=http://+:%d/%s", port, branchCachePath)
	text := "switching BranchCache on"
	for _, c := range []struct {
		may  []int // exit codes beside 0
		args []string
	}{
		{nil, []string{"netsh.exe", "branchcache", "set", "service", "mode=distributed", "serveonbattery=" + battery}},
		{[]int{1}, []string{"netsh.exe", "http", "delete", "urlacl", address}}, // of an earlier try
		{nil, []string{"netsh.exe", "http", "add", "urlacl", address, "sddl=D:(A;;GX;;;NS)"}},
		{[]int{1}, []string{"netsh.exe", "advfirewall", "firewall", "delete", "rule", "name=" + branchCacheRule}},
		{nil, []string{"netsh.exe", "advfirewall", "firewall", "add", "rule", "name=" + branchCacheRule, "dir=in", "action=allow", "protocol=TCP", "localport=" + strconv.Itoa(port)}},
		{[]int{2}, []string{"net.exe", "stop", "PeerDistSvc", "/y"}}, // 2: it does not run
		{nil, []string{"net.exe", "start", "PeerDistSvc"}},
		{nil, []string{"netsh.exe", "branchcache", "show", "status", "all"}}, // for the log
	} {
		if err := runTool(ctx, s, text, append(c.may, 0), c.args...); err != nil {
			return Outcome{}, fmt.Errorf("switch BranchCache on: %w", err)
		}
	}
	return Outcome{}, nil
}

// setMachineNumber writes a number into the machine's registry.
func setMachineNumber(path, name string, value int) error {
	key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, path, registry.SET_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return fmt.Errorf("open HKLM\\%s: %w", path, err)
	}
	if err := errors.Join(key.SetDWordValue(name, uint32(value)), key.Close()); err != nil {
		return fmt.Errorf("write %s in HKLM\\%s: %w", name, path, err)
	}
	return nil
}
