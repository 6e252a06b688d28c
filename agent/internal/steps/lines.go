package steps

import "sync"

// maxLine bounds a line of output; longer ones are broken.
const maxLine = 4000

// lineWriter cuts a stream into lines. A carriage return ends a line too, as in
// progress bars. Control characters become blanks.
type lineWriter struct {
	emit func(string)
	lock *sync.Mutex
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b == '\n' || b == '\r' || len(w.rest) >= maxLine:
			w.flush()
			if b != '\n' && b != '\r' {
				w.rest = append(w.rest, b)
			}
		case b < ' ' && b != '\t' || b == 0x7f:
			w.rest = append(w.rest, ' ')
		default:
			w.rest = append(w.rest, b)
		}
	}
	return len(p), nil
}

func (w *lineWriter) flush() {
	if len(w.rest) > 0 && w.emit != nil {
		w.lock.Lock()
		w.emit(decodeLine(w.rest))
		w.lock.Unlock()
	}
	w.rest = w.rest[:0]
}
