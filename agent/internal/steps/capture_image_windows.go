package steps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"slipway/agent/internal/windowstarget"
	"slipway/tasksequence"
)

// leftOutOfWindows is what no capture of Windows holds: what DISM leaves out when it is
// given no list, the agent's own files, and the answer file, which may hold passwords.
var leftOutOfWindows = [...]string{`\$ntfs.log`, `\hiberfil.sys`, `\pagefile.sys`, `\swapfile.sys`, `\System Volume Information`, `\$Recycle.Bin`, `\Windows\CSC`,
	`\` + workFolder, `\ProgramData\Slipway`, `\Windows\Panther\unattend.xml`, `\Windows\Panther\unattend`}

// notCompressed is what DISM does not compress again.
const notCompressed = "*.mp3\r\n*.zip\r\n*.cab\r\n\\WINDOWS\\inf\\*.pnf\r\n"

// targetHive is where the registry of the target is loaded meanwhile.
const targetHive = `HKLM\SlipwayTarget`

// captureImage captures the Windows on the target disk. DISM writes files only: the WIM
// lies on the target's drive until it is uploaded.
func captureImage(ctx context.Context, s *Step) (Outcome, error) {
	y, err := openWindows(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	if _, err := os.Stat(y.path(sysprepTag)); err != nil {
		s.Log("warn", "this Windows was not generalized: Prepare for capture does that in the installed system. Computers that get this image share its identity")
	}
	if err := y.forgetAgent(ctx); err != nil {
		return Outcome{}, err
	}
	folder, remove, err := y.work("capture")
	if err != nil {
		return Outcome{}, err
	}
	defer remove()
	file := filepath.Join(folder, "image.wim")
	if err := y.capture(ctx, folder, file); err != nil {
		return Outcome{}, err
	}
	return Outcome{}, y.upload(ctx, file)
}

func (y *target) capture(ctx context.Context, folder, file string) error {
	s := y.step
	list := "[ExclusionList]\r\n" + strings.Join(leftOutOfWindows[:], "\r\n") + "\r\n"
	for line := range strings.Lines(s.Settings.Text("Exclude")) {
		if line = strings.Trim(strings.ReplaceAll(strings.TrimSpace(line), "/", `\`), `\`); line != "" {
			list += `\` + line + "\r\n"
		}
	}
	config, scratch := filepath.Join(folder, "wimscript.ini"), filepath.Join(folder, "scratch")
	if err := errors.Join(os.WriteFile(config, []byte(list+"\r\n[CompressionExclusionList]\r\n"+notCompressed), 0o600), os.Mkdir(scratch, 0o700)); err != nil {
		return fmt.Errorf("prepare the capture: %w", err)
	}
	args := []string{"dism.exe", "/English", "/Capture-Image", "/ImageFile:" + file, "/CaptureDir:" + y.root, "/Name:" + strings.TrimSpace(s.Settings.Text("Name"))}
	if text := s.Settings.Text("Description"); text != "" {
		args = append(args, "/Description:"+text)
	}
	compress := map[string]string{"fast": "fast", "default": "max", "best": "max"}[s.Settings.Text("Compression")]
	return y.tool(ctx, "capturing Windows", append(args, "/Compress:"+compress, "/ConfigFile:"+config, "/ScratchDir:"+scratch, "/CheckIntegrity")...)
}

// upload sends the captured file.
func (y *target) upload(ctx context.Context, file string) error {
	s := y.step
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read what was captured: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("read what was captured: %w", err)
	}
	to, name, err := beginCapture(ctx, s, tasksequence.CaptureWIM)
	if err != nil {
		return err
	}
	m := newMeter(in, info.Size(), "uploading "+name, s)
	buf := make([]byte, 1<<20)
	for {
		n, err := m.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				to.Abort()
				return fmt.Errorf("upload what was captured: %w", err)
			}
			m.tell()
		}
		if errors.Is(err, io.EOF) {
			return endCapture(ctx, s, to, name, info.Size())
		}
		if err != nil {
			to.Abort()
			return fmt.Errorf("read what was captured: %w", err)
		}
	}
}

// forgetAgent removes the agent's service from the registry of the Windows that is
// captured: its files are left out.
func (y *target) forgetAgent(ctx context.Context) (err error) {
	const text = "removing the agent's service"
	if err := y.tool(ctx, text, "reg.exe", "load", targetHive, y.path(`Windows\System32\config\SYSTEM`)); err != nil {
		return fmt.Errorf("open the registry of the target: %w", err)
	}
	defer func() {
		if unload := y.tool(context.WithoutCancel(ctx), text, "reg.exe", "unload", targetHive); unload != nil {
			err = errors.Join(err, fmt.Errorf("close the registry of the target: %w", unload))
		}
	}()
	// 1: there is no such key
	return runTool(ctx, y.step, text, []int{0, 1}, "reg.exe", "delete", targetHive+`\ControlSet001\Services\`+windowstarget.Service, "/f")
}
