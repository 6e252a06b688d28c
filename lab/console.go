package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Console is a machine's serial line. What it says is kept as it came (in the
// log), as plain text to wait for, and as the screen a terminal would show.
type Console struct {
	conn net.Conn
	log  *os.File
	done chan struct{}

	mu     sync.Mutex
	plain  plainText
	term   *terminal
	mark   int           // what Expect has already consumed of plain
	change chan struct{} // closed and replaced whenever something came
	tee    func([]byte)
}

func newConsole(conn net.Conn, logPath string) (*Console, error) {
	log, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	c := &Console{conn: conn, log: log, done: make(chan struct{}), change: make(chan struct{}), term: newTerminal(80, 24)}
	go c.read()
	return c, nil
}

func (c *Console) read() {
	defer close(c.done)
	defer c.log.Close()
	buf := make([]byte, 4096)
	for {
		n, err := c.conn.Read(buf)
		if n > 0 {
			_, _ = c.log.Write(buf[:n])
			c.mu.Lock()
			c.plain.write(buf[:n])
			c.term.write(buf[:n])
			tee := c.tee
			close(c.change)
			c.change = make(chan struct{})
			c.mu.Unlock()
			if tee != nil {
				tee(buf[:n])
			}
		}
		if err != nil {
			return
		}
	}
}

// Tee passes everything that comes from now on to f as well.
func (c *Console) Tee(f func([]byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tee = f
}

// Close ends the line.
func (c *Console) Close() {
	c.conn.Close()
	<-c.done
}

// Done is closed when the machine has hung up.
func (c *Console) Done() <-chan struct{} { return c.done }

// Write sends bytes to the machine as they are.
func (c *Console) Write(p []byte) (int, error) { return c.conn.Write(p) }

// Type sends a text at the speed of a quick typist: a serial port's FIFO holds 16 bytes.
func (c *Console) Type(text string) error {
	for _, r := range text {
		if _, err := c.conn.Write([]byte(string(r))); err != nil {
			return err
		}
		time.Sleep(15 * time.Millisecond)
	}
	return nil
}

// Expect waits until the text after the last match matches the pattern
// (regexp), and consumes up to the end of the match. It returns the match.
func (c *Console) Expect(ctx context.Context, limit time.Duration, pattern string) (string, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return "", err
	}
	deadline := time.NewTimer(Timeout(limit))
	defer deadline.Stop()
	for {
		c.mu.Lock()
		text := c.plain.text()[c.mark:]
		change := c.change
		if loc := re.FindStringIndex(text); loc != nil {
			c.mark += loc[1]
			c.mu.Unlock()
			return text[loc[0]:loc[1]], nil
		}
		c.mu.Unlock()
		select {
		case <-change:
		case <-c.done:
			return "", fmt.Errorf("the machine hung up before %q; its screen:\n%s", pattern, c.Screen())
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for %q: %w; the screen:\n%s", pattern, ctx.Err(), c.Screen())
		case <-deadline.C:
			return "", fmt.Errorf("no %q within %v; the screen:\n%s", pattern, Timeout(limit), c.Screen())
		}
	}
}

// Skip consumes what has come so far, so that the next Expect sees only news.
func (c *Console) Skip() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark = len(c.plain.text())
}

// Text returns everything the machine has said, without control sequences.
func (c *Console) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plain.text()
}

// Screen returns what a terminal of 80 by 24 would show now.
func (c *Console) Screen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimRight(c.term.text(), "\n ")
}
