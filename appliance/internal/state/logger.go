package state

import (
	"context"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLogger passes what raft and its log say on to l, one step quieter: elections
// and snapshots of a single member are no news. Neither prints the content of log
// entries, so nothing secret can come this way.
func raftLogger(l *slog.Logger) hclog.Logger {
	out := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Output: io.Discard, Level: hclog.Info})
	out.RegisterSink(slogSink{l})
	return out
}

type slogSink struct{ log *slog.Logger }

// Accept implements hclog.SinkAdapter.
func (s slogSink) Accept(name string, level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	if level >= hclog.Error {
		to = slog.LevelWarn
	}
	s.log.Log(context.Background(), to, msg, append([]any{"part", name}, args...)...)
}
