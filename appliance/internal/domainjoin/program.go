package domainjoin

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// killWait is how long output may still come after the program was ended.
const killWait = 3 * time.Second

// Format is the number of the form in which the program is asked.
const Format = 1

// Question is what the program reads on its standard input, as JSON.
type Question struct {
	Format       int            `json:"format"`
	ComputerName string         `json:"computerName"`
	OU           string         `json:"ou,omitempty"`
	Deployment   string         `json:"deployment"`
	Device       QuestionDevice `json:"device"`
}

// QuestionDevice is the device that asks, by what it says of itself.
type QuestionDevice struct {
	ID           string `json:"id"`
	UUID         string `json:"uuid,omitempty"`
	Serial       string `json:"serial,omitempty"`
	Manufacturer string `json:"manufacturer,omitempty"`
	Model        string `json:"model,omitempty"`
}

// MaxBlob bounds a blob, in bytes of its base64: it has to fit into a variable.
const MaxBlob = 48 << 10

// maxSaid bounds what the program may say, and maxShown what the log shows of its errors.
const (
	maxSaid  = 4 * MaxBlob
	maxShown = 1000
)

// run asks the program. It ends with ctx, or after the time limit.
func (s *Service) run(ctx context.Context, r Request) (string, error) {
	question, err := json.Marshal(Question{Format: Format, ComputerName: r.Computer, OU: r.OU, Deployment: r.Deployment,
		Device: QuestionDevice{ID: r.Device.ID, UUID: r.Device.UUID, Serial: r.Device.Serial, Manufacturer: r.Device.Manufacturer, Model: r.Device.Model}})
	if err != nil {
		return "", fmt.Errorf("write the question: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Timeout, fmt.Errorf("it took longer than %s", s.o.Timeout))
	defer cancel()
	c := exec.CommandContext(ctx, s.o.Command[0], s.o.Command[1:]...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8"}
	c.Stdin = bytes.NewReader(question)
	said, errs := &capped{most: maxSaid}, &capped{most: maxShown}
	c.Stdout, c.Stderr = said, errs
	c.WaitDelay = killWait
	err = c.Run()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err == nil && said.kept.Len() > maxSaid {
		err = fmt.Errorf("the program's answer is larger than %d KiB", maxSaid>>10)
	}
	if err == nil {
		var blob string
		if blob, err = Normal(said.kept.Bytes()); err == nil {
			return blob, nil
		}
	}
	// What the program says of its failure is for the administrator, not for the device.
	s.o.Logger.ErrorContext(ctx, "no account for an offline domain join", "computer", r.Computer, "deployment", r.Deployment, "error", err,
		"said", strings.ToValidUTF8(strings.TrimSpace(errs.kept.String()), "?"))
	return "", fmt.Errorf("%w: see the appliance's log", ErrFailed)
}

// Normal returns a blob as plain base64. djoin and Samba write files in UTF-16 with a
// zero at the end, others plain text.
func Normal(said []byte) (string, error) {
	text := string(bytes.TrimPrefix(said, []byte("\ufeff")))
	if wide, ok := bytes.CutPrefix(said, []byte{0xff, 0xfe}); ok {
		units := make([]uint16, len(wide)/2)
		for i := range units {
			units[i] = uint16(wide[2*i]) | uint16(wide[2*i+1])<<8
		}
		text = string(utf16.Decode(units))
	}
	text = strings.Join(strings.Fields(strings.Trim(text, "\x00 \r\n\t")), "")
	switch _, err := base64.StdEncoding.DecodeString(text); {
	case text == "":
		return "", errors.New("the program answered nothing")
	case !utf8.ValidString(text) || err != nil:
		return "", errors.New("the program's answer is no base64")
	case len(text) > MaxBlob:
		return "", fmt.Errorf("the program's answer is %d bytes long; at most %d can be handed on: leave root certificates and policies out of it", len(text), MaxBlob)
	}
	return text, nil
}

// capped keeps the first bytes of an output, and one more. Its buffer is no part of its
// face: the buffer's ReadFrom knows no bound.
type capped struct {
	kept bytes.Buffer
	most int
}

func (w *capped) Write(p []byte) (int, error) {
	w.kept.Write(p[:min(len(p), max(0, w.most+1-w.kept.Len()))])
	return len(p), nil
}
