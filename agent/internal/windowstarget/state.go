package windowstarget

import (
	"errors"
	"fmt"
	"os"

	"slipway/agent/internal/targetstate"
)

// SaveState writes the agent's state of the folder from, and the deployment's id, onto
// the volume. It is on the disk afterwards. Where there is no Windows yet, as after
// Format disk, the state is saved all the same: it is what a power loss needs.
func SaveState(from, root, deployment string) error {
	name, err := stateFolder(root)
	if err != nil {
		return err
	}
	return targetstate.SaveIn(from, root, name, deployment)
}

// TakeState copies the state on a volume into the folder into and returns its
// deployment; "" when there is none.
func TakeState(root, into string) (deployment string, err error) {
	name, err := stateFolder(root)
	if err != nil {
		return "", err
	}
	return targetstate.TakeFrom(root, name, into)
}

// Wipe removes state and agent from a volume: the deployment ended before Windows ran.
func Wipe(root string) error {
	name, err := stateFolder(root)
	if err != nil {
		return err
	}
	return errors.Join(targetstate.WipeIn(root, name), Unplace(root))
}

// stateFolder is State in the spelling of the volume.
func stateFolder(root string) (string, error) {
	volume, err := os.OpenRoot(root)
	if err != nil {
		return "", fmt.Errorf("open the Windows volume: %w", err)
	}
	defer volume.Close()
	return find(volume, State), nil
}
