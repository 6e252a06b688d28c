package steps

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	fakes "slipway/agent/winetest/script"
	"slipway/agent/wire"
	"slipway/tasksequence"
)

func djoin(b *winBench, more ...string) fakes.Call {
	c := call(`djoin /requestODJ /loadfile *.txt /windowspath %sWindows`, b.root)
	c.Args = append(c.Args, more...)
	c.InputAt, c.Input = 2, "*"+wide(JoinBlob)+"\x00\x00" // * are the two bytes of the mark
	return c
}

func TestOfflineDomainJoinOnWindows(t *testing.T) {
	b, j := newWinBench(t), &Joins{}
	b.join = j
	b.set("OSDComputerName", "PC-1")
	b.set("OU", "OU=PCs,DC=example,DC=com")
	out := b.works(tasksequence.OfflineDomainJoin, nil, djoin(b, "/localos"))
	if out.Restart == nil || out.Restart.Target != tasksequence.RebootDisk || out.Restart.Again {
		t.Errorf("%+v", out)
	}
	b.inWinPE()
	if out := b.works(tasksequence.OfflineDomainJoin, map[string]any{"ComputerName": "PC-2", "OU": "OU=Kiosks"}, djoin(b)); out.Restart != nil {
		t.Errorf("%+v", out)
	}
	if len(j.Asked) != 2 || j.Asked[0] != (wire.DomainJoinRequest{ComputerName: "PC-1", OU: "OU=PCs,DC=example,DC=com"}) || j.Asked[1] != (wire.DomainJoinRequest{ComputerName: "PC-2", OU: "OU=Kiosks"}) {
		t.Errorf("asked %+v", j.Asked)
	}
	if strings.Contains(strings.Join(b.lines, "\n"), JoinBlob) {
		t.Errorf("the log holds the blob: %q", b.lines)
	}
	_, err := b.run(tasksequence.OfflineDomainJoin, nil, exits(djoin(b), 1, "The file cannot be read.\r\n"))
	b.fails(err, "join the domain", "exit code 1", "cannot be read")
	j.Err = errors.New("no rights")
	_, err = b.run(tasksequence.OfflineDomainJoin, nil)
	b.fails(err, "have an account made for PC-1", "no rights")

	// What somebody made beforehand is taken without asking.
	if err := b.vars.SetSystem(blobVariable, tasksequence.Value{Text: JoinBlob[:4] + "\r\n" + JoinBlob[4:], Secret: true}); err != nil {
		t.Fatal(err)
	}
	before := len(j.Asked)
	b.works(tasksequence.OfflineDomainJoin, nil, djoin(b))
	if len(j.Asked) != before {
		t.Error("the appliance was asked")
	}
}

// djoin reads its files as Windows writes texts: a mark, UTF-16, a zero at the end.
func TestDomainJoinFileOnWindows(t *testing.T) {
	if got := wideText("Yé="); !bytes.Equal(got, []byte{0xff, 0xfe, 'Y', 0, 0xe9, 0, '=', 0, 0, 0}) {
		t.Errorf("% x", got)
	}
}

// A WinPE without djoin has Windows Setup join the domain.
func TestOfflineDomainJoinWithoutDjoinOnWindows(t *testing.T) {
	b := newWinBench(t)
	b.inWinPE()
	b.set(blobVariable, JoinBlob)
	t.Setenv("PATH", b.root) // nothing is there
	b.works(tasksequence.OfflineDomainJoin, nil)
	text, err := os.ReadFile(b.root + answerFile)
	if err != nil || !strings.Contains(string(text), "<AccountData>"+JoinBlob+"</AccountData>") {
		t.Errorf("%v: %s", err, text)
	}
	if strings.Contains(strings.Join(b.lines, "\n"), JoinBlob) {
		t.Errorf("the log holds the blob: %q", b.lines)
	}
}
