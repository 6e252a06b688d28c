package windowstarget

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"slipway/tasksequence/unattend"
)

// Authorities is the folder of certificates that Windows Setup takes among those that the
// computer trusts. They are public, and stay.
const Authorities = "Windows/Setup/Slipway"

// Trust puts certificate authorities (PEM, one text each) onto the volume of a Windows
// that does not run, and returns the commands of the answer file that take them over:
// certutil in the specialize pass, as SYSTEM.
func Trust(root string, authorities []string) ([]unattend.Command, error) {
	if !IsWindows(root) {
		return nil, ErrNoWindows
	}
	if len(authorities) == 0 {
		return nil, errors.New("the appliance's authorities are not known here")
	}
	volume, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open the Windows volume: %w", err)
	}
	defer volume.Close()
	var out []unattend.Command
	for i, text := range authorities {
		name := fmt.Sprintf("authority-%d.cer", i+1)
		if err := put(volume, Authorities+"/"+name, 0o644, strings.NewReader(text)); err != nil {
			return nil, fmt.Errorf("put the appliance's authority onto the Windows volume: %w", err)
		}
		out = append(out, unattend.Command{Pass: unattend.Specialize, Description: "Trust the appliance's authority",
			Line: `cmd.exe /c certutil.exe -f -addstore Root %SystemRoot%\Setup\Slipway\` + name})
	}
	return out, nil
}
