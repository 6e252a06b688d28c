package main

import (
	"io"
	"math"
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

// answerPiece is how much of an answer must be taken within the timeout, in bytes: two
// kilobytes a second in two minutes. Larger pieces would break off slow lines, smaller
// ones cost time on fast ones.
const answerPiece = 256 << 10

// patientAnswers serves answers for as long as their reader takes them. One that takes
// nothing would hold file, memory and connection for ever. net/http ends the deadline
// with the answer: what comes after on the same connection has none.
func patientAnswers(next http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &patientAnswer{ResponseWriter: w, control: http.NewResponseController(w), timeout: timeout}
		if r.ProtoMajor == 1 { // in HTTP/2 it would end an answer that is late to begin
			a.wait()
		}
		next.ServeHTTP(a, r)
	})
}

// patientAnswer moves the deadline of its connection with each piece.
type patientAnswer struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

// Unwrap gives http.ResponseController the writer below.
func (a *patientAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *patientAnswer) wait() {
	_ = a.control.SetWriteDeadline(time.Now().Add(a.timeout)) // a writer of tests has none
}

// Write implements io.Writer.
func (a *patientAnswer) Write(p []byte) (total int, err error) {
	for {
		a.wait()
		n, err := a.ResponseWriter.Write(p[:min(len(p), answerPiece)])
		total += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return total, err
		}
	}
}

// ReadFrom implements io.ReaderFrom: the kernel sends plain files by itself.
func (a *patientAnswer) ReadFrom(from io.Reader) (total int64, err error) {
	rest := &io.LimitedReader{R: from, N: math.MaxInt64}
	if l, ok := from.(*io.LimitedReader); ok {
		rest = l // the file has to stand directly below one limit
	}
	for rest.N > 0 {
		a.wait()
		most := min(rest.N, answerPiece)
		n, err := io.Copy(a.ResponseWriter, &io.LimitedReader{R: rest.R, N: most})
		total, rest.N = total+n, rest.N-n
		if err != nil || n < most {
			return total, err
		}
	}
	return total, nil
}
