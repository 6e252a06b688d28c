package engine

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"slipway/agent/wire"
)

func logLines(from, to int64, text string) []wire.LogLine {
	var lines []wire.LogLine
	for n := from; n <= to; n++ {
		lines = append(lines, wire.LogLine{Number: n, Text: fmt.Sprintf("%s %d", text, n)})
	}
	return lines
}

func (b *bench) log(id string, epoch int64, lines ...wire.LogLine) wire.LogAnswer {
	b.t.Helper()
	answer, err := b.engine.Logs(b.t.Context(), b.token, id, wire.LogBatch{Epoch: epoch, Lines: lines})
	b.check(err)
	return answer
}

func (b *bench) readLog(id string, from int64, n int) string {
	b.t.Helper()
	lines, last, err := b.engine.ReadLog(id, from, n)
	b.check(err)
	var all []string
	for _, l := range lines {
		all = append(all, fmt.Sprintf("%d:%s", l.Number, l.Text))
	}
	return fmt.Sprintf("%s of %d", strings.Join(all, ", "), last)
}

func TestLogLinesAreKeptOnce(t *testing.T) {
	for _, crash := range []bool{false, true} {
		b := newBench(t)
		d := b.begin()
		b.expect("an empty log", b.readLog(d.ID, 1, 10), " of 0")
		b.expect("kept", b.log(d.ID, 1, logLines(1, 3, "one")...), "{3 false}")
		b.restart(crash)
		b.expect("kept", b.log(d.ID, 1, logLines(2, 5, "one")...), "{5 false}")
		_, err := b.engine.Resume(t.Context(), b.token, d.ID, "")
		b.check(err)
		b.expect("kept in a new epoch", b.log(d.ID, 2, logLines(1, 2, "two")...), "{2 false}")
		b.expect("kept", b.log(d.ID, 2, logLines(1, 3, "two")...), "{3 false}")
		b.expect("log", b.readLog(d.ID, 0, 99), "1:one 1, 2:one 2, 3:one 3, 4:one 4, 5:one 5, 6:two 1, 7:two 2, 8:two 3 of 8")
		b.expect("part", b.readLog(d.ID, 4, 2), "4:one 4, 5:one 5 of 8")
	}
}

func TestATornLineIsRepaired(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.log(d.ID, 1, logLines(1, 2, "x")...)
	path := b.engine.logPath(d.ID)
	b.restart(true)
	whole, err := os.ReadFile(path)
	b.check(err)
	b.check(os.WriteFile(path, append(whole, `{"e":1,"k":3,"x":"cut o`...), 0o600))
	b.expect("while it is torn", b.readLog(d.ID, 1, 9), "1:x 1, 2:x 2 of 2")
	b.log(d.ID, 1, logLines(3, 3, "x")...)
	b.expect("afterwards", b.readLog(d.ID, 1, 9), "1:x 1, 2:x 2, 3:x 3 of 3")
}

func TestANewerLogIsNotTouched(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	newer := `{"slipway":"deployment-log","format":2}` + "\n"
	b.check(os.WriteFile(b.engine.logPath(d.ID), []byte(newer), 0o600))
	if _, err := b.engine.Logs(t.Context(), b.token, d.ID, wire.LogBatch{Epoch: 1, Lines: logLines(1, 1, "x")}); err == nil {
		t.Error("a line was added to a newer format")
	}
	now, err := os.ReadFile(b.engine.logPath(d.ID))
	b.check(err)
	b.expect("the file", string(now), newer)
}

func TestTheLogIsCapped(t *testing.T) {
	b := newBench(t, func(o *Options) { o.LogCap = 20_000 })
	d := b.begin()
	var answer wire.LogAnswer
	long := strings.Repeat("y", 90)
	for n := int64(1); !answer.Full; n += 10 {
		if n > 1000 {
			t.Fatal("the log is never full")
		}
		answer = b.log(d.ID, 1, logLines(n, n+9, long)...)
		b.expect("kept", answer.Kept, n+9)
	}
	_, last, err := b.engine.ReadLog(d.ID, 1, 1)
	b.check(err)
	b.expect("the end", b.readLog(d.ID, last, 1), fmt.Sprintf("%d:%s of %d", last, fullNote, last))
	b.restart(true)
	b.expect("after a restart", b.log(d.ID, 1, logLines(answer.Kept+1, answer.Kept+5, long)...).Full, true)
	info, err := os.Stat(b.engine.logPath(d.ID))
	b.check(err)
	if info.Size() > 20_000 {
		t.Errorf("the log grew to %d bytes", info.Size())
	}
	b.expect("lines", b.readLog(d.ID, last+1, 9), fmt.Sprintf(" of %d", last))
}

func TestLogTextsAreMadeHarmless(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	b.log(d.ID, 1, wire.LogLine{Number: 1, Level: "shout", Step: "a\nb", Text: "\x1b[2Jred\r\n\u202edesrever\ttab\xff\u0085"},
		wire.LogLine{Number: 2, Level: "error", Text: strings.Repeat("ü", maxText)})
	lines, _, err := b.engine.ReadLog(d.ID, 1, 9)
	b.check(err)
	b.expect("text", lines[0].Text, "␛[2Jred␍␊\uFFFDdesrever\ttab\uFFFD\uFFFD")
	b.expect("step and levels", words(lines[0].Step, lines[0].Level, lines[1].Level), "a␊b info error")
	if len(lines[1].Text) > maxText+len("…") || !strings.HasSuffix(lines[1].Text, "ü…") {
		t.Errorf("a long line has %d bytes and ends in %q", len(lines[1].Text), lines[1].Text[len(lines[1].Text)-6:])
	}
}

func TestReportsOfLogsThatMakeNoSense(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	_, err := b.engine.Logs(t.Context(), b.token, d.ID, wire.LogBatch{Epoch: 1, Lines: []wire.LogLine{{Number: 2}, {Number: 2}}})
	b.expectField("a number twice", err, "lines[1].n")
	_, err = b.engine.Logs(t.Context(), b.token, d.ID, wire.LogBatch{Epoch: 1, Lines: logLines(1, maxLogLines+1, "x")})
	b.expectError("a huge report", err, ErrTooLarge)
}

func TestWatchersSeeProgressAndLines(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	ctx, cancel := context.WithCancel(t.Context())
	updates := b.engine.Subscribe(ctx)
	_, err := b.engine.Events(t.Context(), b.token, d.ID, wire.EventBatch{Epoch: 1, Progress: &wire.Progress{Path: "a", Percent: 250, Text: "half\n"}})
	b.check(err)
	b.log(d.ID, 1, logLines(1, 2, "x")...)
	b.expect("progress", words((<-updates).Progress.Percent), "100")
	b.expect("log", words((<-updates).LastLine), "2")
	p, ok := b.engine.Progress(d.ID)
	b.expect("snapshot", words(ok, p.Text, p.Path), "true half␊ a")
	b.expect("heard", b.engine.LastHeard(d.ID), b.clock.Now())

	for range 2 * watcherBuffer { // nobody reads
		_, err := b.engine.Events(t.Context(), b.token, d.ID, wire.EventBatch{Epoch: 1, Progress: &wire.Progress{Path: "a"}})
		b.check(err)
	}
	cancel()
	var last Update
	deadline := time.After(60 * time.Second)
	for open := true; open; {
		select {
		case u, more := <-updates:
			if open = more; more {
				last = u
			}
		case <-deadline:
			t.Fatal("the channel is not closed")
		}
	}
	b.expect("lost", last.Lost, true)
	_, err = b.engine.Events(t.Context(), b.token, d.ID, wire.EventBatch{Epoch: 1, Events: []wire.Event{ended(1, "succeeded")}})
	b.check(err)
	_, ok = b.engine.Progress(d.ID)
	b.expect("progress after the end", ok, false)
}

// TestLongLogsAreReadFromTheMiddle compares pages read by the index, before and
// after it was built anew from the file.
func TestLongLogsAreReadFromTheMiddle(t *testing.T) {
	b := newBench(t)
	d := b.begin()
	for n := int64(1); n < 3*indexStep; n += 300 {
		b.log(d.ID, 1, logLines(n, n+299, "x")...)
	}
	for range 2 {
		for _, from := range []int64{1, 2, indexStep, indexStep + 1, 2*indexStep - 1, 2*indexStep + 1, 1499, 1500} {
			want := fmt.Sprintf("%d:x %d, %d:x %d of 1500", from, from, from+1, from+1)
			if from == 1500 {
				want = "1500:x 1500 of 1500"
			}
			b.expect(fmt.Sprintf("page from %d", from), b.readLog(d.ID, from, 2), want)
		}
		b.expect("beyond the end", b.readLog(d.ID, 99_999, 2), " of 1500")
		b.restart(true)
		b.log(d.ID, 1, logLines(1500, 1500, "x")...)
		b.expect("index entries", len(b.engine.sessions[d.ID].log.index), 3)
	}
}
