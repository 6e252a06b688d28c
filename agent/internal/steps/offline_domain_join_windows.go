package steps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"unicode/utf16"

	"slipway/agent/wire"
	"slipway/tasksequence"
	"slipway/tasksequence/unattend"
)

// blobVariable is the variable that holds a blob which somebody made beforehand.
const blobVariable = "DomainJoinBlob"

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
		architecture := unattend.FromVariables(s.Vars.Run()).Architecture
		return Outcome{}, y.answers(unattend.Settings{Architecture: architecture, Domain: &unattend.Domain{Blob: unattend.NewSecret(blob)}}, "")
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

// joinBlob is the blob that was given, or the one that the appliance has made.
func joinBlob(ctx context.Context, s *Step) (string, error) {
	if blob := strings.Join(strings.Fields(s.Vars.Run().Text(blobVariable)), ""); blob != "" {
		s.Log("info", "the domain join that the variable "+blobVariable+" holds is taken")
		return blob, nil
	}
	v := unattend.FromVariables(s.Vars.Run())
	name := strings.TrimSpace(cmp.Or(s.Settings.Text("ComputerName"), v.ComputerName))
	if name == "" || name == "*" {
		return "", errors.New("there is no name for the computer: set the variable ComputerName, or the step's option")
	}
	if s.Machine.DomainJoin == nil {
		return "", errors.New("this agent cannot ask the appliance for a domain join")
	}
	ou := cmp.Or(s.Settings.Text("OU"), s.Vars.Run().Text("MachineObjectOU"), s.Vars.Run().Text("OU"))
	made, err := s.Machine.DomainJoin.Provision(ctx, wire.DomainJoinRequest{ComputerName: name, OU: ou})
	if err != nil {
		return "", fmt.Errorf("have an account made for %s: %w", name, err)
	}
	if made.Blob == "" {
		return "", errors.New("the appliance answered no domain join")
	}
	s.Log("info", "the domain has an account for "+name)
	return made.Blob, nil
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
