package netboot

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Each change of a listed interface is told once; a list that cannot be read is none.
func TestMissingInterfacesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list atomic.Value // of func() ([]netInterface, error)
		up := func(l ...netInterface) { list.Store(func() ([]netInterface, error) { return l, nil }) }
		up()
		i := &interfaces{names: []string{"a0", "b0"}, list: func() ([]netInterface, error) { return list.Load().(func() ([]netInterface, error))() }, now: time.Now}
		var text lockedBuffer
		ctx, cancel := context.WithCancel(t.Context())
		go i.tell(ctx, slog.New(slog.NewTextHandler(&text, nil)))
		said := func(want string) {
			t.Helper()
			time.Sleep(3 * interfacesTTL)
			synctest.Wait()
			var got []string
			for line := range strings.Lines(text.String()) {
				level, _, _ := strings.Cut(line[strings.Index(line, "level=")+6:], " ")
				got = append(got, level+" "+strings.TrimSpace(line[strings.Index(line, "interface=")+10:]))
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("said %v, want %s", got, want)
			}
		}
		said("WARN a0, WARN b0")
		up(netInterface{name: "a0"}, netInterface{name: "c0"})
		said("WARN a0, WARN b0, INFO a0")
		list.Store(func() ([]netInterface, error) { return nil, errors.New("no list") })
		said("WARN a0, WARN b0, INFO a0")
		up()
		said("WARN a0, WARN b0, INFO a0, WARN a0")
		cancel()
		synctest.Wait()
	})
}
