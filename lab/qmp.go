package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
)

// QMP is the connection to QEMU's monitor (QEMU Machine Protocol: one JSON
// object per line each way).
type QMP struct {
	conn    net.Conn
	mu      sync.Mutex // one command at a time
	replies chan reply
	closed  chan struct{}
}

type reply struct {
	Return json.RawMessage `json:"return"`
	Error  *struct{ Desc string }
	Event  string
	QMP    json.RawMessage
}

func newQMP(ctx context.Context, conn net.Conn) (*QMP, error) {
	q := &QMP{conn: conn, replies: make(chan reply), closed: make(chan struct{})}
	go q.read()
	return q, q.Run(ctx, "qmp_capabilities", nil, nil)
}

func (q *QMP) read() {
	defer close(q.closed)
	lines := bufio.NewScanner(q.conn)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r reply
		if json.Unmarshal(lines.Bytes(), &r) != nil || r.Event != "" || r.QMP != nil {
			continue // the greeting and events answer no command
		}
		q.replies <- r
	}
}

// Run gives one command and decodes its answer into result, if not nil.
func (q *QMP) Run(ctx context.Context, name string, args, result any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	line, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{name, args})
	if err != nil {
		return err
	}
	if _, err := q.conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("monitor command %s: %w", name, err)
	}
	select {
	case r := <-q.replies:
		if r.Error != nil {
			return fmt.Errorf("monitor command %s: %s", name, r.Error.Desc)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(r.Return, result)
	case <-q.closed:
		return fmt.Errorf("monitor command %s: %w", name, net.ErrClosed)
	case <-ctx.Done():
		// A late answer would be taken for the next command's.
		q.conn.Close()
		return fmt.Errorf("monitor command %s: %w", name, ctx.Err())
	}
}

// Close ends the connection.
func (q *QMP) Close() {
	q.conn.Close()
	for {
		select {
		case <-q.replies:
		case <-q.closed:
			return
		}
	}
}

// PressKeys presses keys at the machine's keyboard, by QEMU's names for them
// ("a", "shift-a", "ret", "f2").
func (q *QMP) PressKeys(ctx context.Context, keys ...string) error {
	for _, k := range keys {
		line := map[string]string{"command-line": "sendkey " + k}
		var said string
		if err := q.Run(ctx, "human-monitor-command", line, &said); err != nil {
			return err
		}
		if said != "" {
			return errors.New("sendkey " + k + ": " + said)
		}
	}
	return nil
}

// Type types a text at the machine's keyboard (US layout) and nothing after it.
func (q *QMP) Type(ctx context.Context, text string) error {
	for _, c := range text {
		key, ok := keyFor(c)
		if !ok {
			return fmt.Errorf("no key for %q", c)
		}
		if err := q.PressKeys(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func keyFor(c rune) (string, bool) {
	switch {
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return string(c), true
	case c >= 'A' && c <= 'Z':
		return "shift-" + string(c+'a'-'A'), true
	}
	k, ok := map[rune]string{'-': "minus", ' ': "spc", '.': "dot", ',': "comma", '/': "slash", '\n': "ret", '_': "shift-minus"}[c]
	return k, ok
}
