package steps

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"unicode/utf16"

	"slipway/tasksequence"
)

// offlineDomainJoin applies the blob of a domain join: with djoin, or in a WinPE that
// lacks it by the answer file.
func offlineDomainJoin(ctx context.Context, s *Step) (Outcome, error) {
	y, err := openEither(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	blob, err := joinBlob(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	running := inInstalledWindows(s)
	if _, err := exec.LookPath("djoin.exe"); err != nil && !running {
		s.Log("info", "this WinPE has no djoin: the answer file joins the domain")
		return Outcome{}, y.answers(joinAnswers(s, blob), "")
	}
	file, err := s.Machine.Files.Temporary("domain-*.txt")
	if err != nil {
		return Outcome{}, fmt.Errorf("make a file for the domain join: %w", err)
	}
	err = s.Machine.Files.Write(file, wideText(blob))
	if err == nil {
		args := []string{"djoin.exe", "/requestODJ", "/loadfile", file, "/windowspath", y.path("Windows")}
		if running {
			args = append(args, "/localos")
		}
		err = y.tool(ctx, "joining the domain", args...)
	}
	if err = errors.Join(err, s.Machine.Files.Remove(file)); err != nil {
		return Outcome{}, fmt.Errorf("join the domain: %w", err)
	}
	if running {
		return Outcome{Restart: &Restart{Target: tasksequence.RebootDisk, Message: "The computer is a member of its domain after a restart."}}, nil
	}
	return Outcome{}, nil
}

// wideText is a text as djoin writes and reads its files: UTF-16 with a mark at the
// beginning and a zero at the end.
func wideText(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, unit := range append(utf16.Encode([]rune(text)), 0) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return out
}
