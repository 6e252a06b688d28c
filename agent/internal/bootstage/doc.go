// Package bootstage has a running Windows start Windows PE from its own disk, once: it puts
// boot.wim and boot.sdi into a folder of the system drive, suspends BitLocker for that
// start, and makes an entry of the boot manager that is used at the next start only. So a
// start that fails leads back to the installed Windows.
//
// What it changes is noted in the folder before it is changed (Record), and taken back by
// Undo: when one of the calls fails, at the next start of the agent in that Windows, and at
// the end of the deployment. Windows' own tools do the work: bcdedit and manage-bde.
//
// Facts, from Microsoft's documentation ("BCDEdit /create", "BCDEdit /bootsequence",
// "manage-bde status", "manage-bde protectors") and not seen on a real Windows yet:
//
//   - bcdedit prints the GUID of what it created in a sentence of Windows' language.
//   - /bootsequence is for the next start only; /delete takes an entry out of it as well.
//   - manage-bde -status -protectionaserrorlevel ends with 0 for a protected volume, with 1
//     for one that is not protected. A suspended volume is not protected.
//   - manage-bde -protectors -disable -RebootCount N: protection comes back by itself after N
//     starts of that Windows. The volume stays encrypted; its key lies on it in the clear
//     meanwhile, so that the boot manager and Windows PE can read it.
package bootstage

import "context"

// Folder is where the files lie, below the root of the system drive.
const Folder = `ProgramData\Slipway\winpe`

// Reboots is for how many starts BitLocker is suspended: the one into Windows PE. Starts of
// Windows PE itself are not counted by Windows; whichever Windows starts next counts one.
const Reboots = 1

// spare is what stays free on the drive beside the files, in bytes.
const spare = 512 << 20

// Tool runs one of Windows' tools. The error says that it could not be run.
type Tool func(ctx context.Context, args ...string) (code int, output string, err error)

// Log takes a line of the deployment's log.
type Log func(level, text string)
