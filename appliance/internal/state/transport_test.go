package state

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// tcpStream is TCP on loopback.
type tcpStream struct {
	net.Listener
	dialer net.Dialer
}

func (s *tcpStream) Dial(address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.dialer.DialContext(ctx, "tcp", address)
}

func listen(t *testing.T) *tcpStream {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &tcpStream{Listener: l}
}

// A folder of one member starts again with a network transport, keeps its id, and
// then takes in another member, which gets all records.
func TestAFolderOfOneMemberGrowsOverTheNetwork(t *testing.T) {
	o := quiet(t.TempDir())
	s := open(t, o)
	update(t, s, putDevice("alone", "x"))
	id := s.id
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	stream := listen(t)
	o.Stream = stream
	s = open(t, o)
	if s.id != id {
		t.Errorf("the id was %q, is %q", id, s.id)
	}
	if got := deviceName(t, s, "alone"); got != "x" {
		t.Errorf("read %q", got)
	}
	f := s.raft.GetConfiguration()
	if err := f.Error(); err != nil {
		t.Fatal(err)
	}
	want := raft.Server{ID: id, Address: raft.ServerAddress(stream.Addr().String())}
	if m := f.Configuration().Servers; len(m) != 1 || m[0] != want {
		t.Errorf("members %v, want %v", m, want)
	}
	update(t, s, putDevice("network", "y"))
	second := joinMember(t, s)
	eventually(t, "the second member has the records", func() bool {
		tx := newTx(second, false)
		defer tx.end()
		return tx.Devices().Has("alone") && tx.Devices().Has("network")
	})
}

// joinMember starts a second raft member in memory and has the first take it in.
func joinMember(t *testing.T, first *Store) *machine {
	t.Helper()
	m := machineFor(t)
	stream := listen(t)
	log := raftLogger(first.log)
	trans := newTransport(stream, log)
	mem := raft.NewInmemStore()
	r, err := raft.NewRaft(raftConfig("second", Options{Stream: stream}, log), m, mem, mem, raft.NewInmemSnapshotStore(), trans)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown().Error(); err != nil {
			t.Error(err)
		}
		trans.Close()
	})
	if err := first.raft.AddNonvoter("second", trans.LocalAddr(), 0, 30*time.Second).Error(); err != nil {
		t.Fatal(err)
	}
	return m
}

// The way back: a folder used over the network opens in-process again.
func TestAFolderOfTheNetworkOpensInProcess(t *testing.T) {
	o := quiet(t.TempDir())
	o.Stream = listen(t)
	s := open(t, o)
	update(t, s, putDevice("a", "x"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o.Stream = nil
	if got := deviceName(t, open(t, o), "a"); got != "x" {
		t.Errorf("read %q", got)
	}
}
