package main

import (
	"io"
	"net/http"
	"time"
)

// minRate is how fast a body must come beyond the first timeout, in bytes a second.
const minRate = 4 << 10

// patient serves requests under a timeout for reading that follows what arrives.
// http.Server.ReadTimeout counts from the first byte of a request, whatever comes
// after: a large upload over a slow line would break off though it goes on well.
func patient(next http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &patientBody{ReadCloser: r.Body, control: http.NewResponseController(w), timeout: timeout, end: time.Now().Add(timeout)}
		}
		next.ServeHTTP(w, r)
	})
}

// patientBody moves the deadline of its connection, a second for each minRate bytes,
// and no further ahead than the timeout.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
	timeout time.Duration
	end     time.Time
	spare   int64 // bytes that have not moved the deadline yet
}

// Read implements io.Reader.
func (b *patientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.spare += int64(n); err == nil && b.spare >= minRate {
		b.end = b.end.Add(time.Duration(b.spare/minRate) * time.Second)
		b.spare %= minRate
		if most := time.Now().Add(b.timeout); b.end.After(most) {
			b.end = most
		}
		_ = b.control.SetReadDeadline(b.end) // a writer of tests has none
	}
	return n, err
}
