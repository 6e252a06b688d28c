// Package windowstarget puts the agent onto the volume of a Windows that does not run
// yet, so that the task sequence goes on there. WinPE and the Linux boot image do it
// alike; root is the folder or drive that is the root of the Windows volume.
//
// What lies on the volume:
//
//	\ProgramData\Slipway\             SYSTEM and Administrators only (Protect)
//	    agent.json                    somebody's own configuration; the agent does not write it
//	    deployment\                   the agent of one deployment, which removes it at its end
//	        slipway-agent.exe
//	        agent.json                its configuration: "Temporary": true
//	    state\                        what a restart needs (package targetstate)
//	        deployment                id of the unfinished deployment, written last
//	        token.json, identity.pem, reports.json
//	    tmp\                          files of steps, in the Windows that runs
//	\Windows\Panther\unattend.xml     the answer file of Windows Setup
//	\Windows\Setup\Scripts\SetupComplete.cmd
//
// Who starts it: one of the four Starts runs `slipway-agent.exe install` as SYSTEM or as
// an administrator. That protects the folder, registers the agent as a service that
// starts with Windows, and starts it at once when Windows Setup is over. The service
// waits for the end of Windows Setup, first-run dialogs included, then signs in with the
// kept token and goes on with the deployment. At the end the service, deployment\ and
// state\ are removed.
//
// A caller does, in this order: Placement.Into, SaveState, and restarts the computer into
// Windows. After each step up to the restart it repeats SaveState (the token may have
// been renewed). When the deployment ends before, it calls Wipe.
package windowstarget

// Service is the name of the agent's service in Windows, which goes on with an unfinished
// deployment when Windows starts.
const Service = "SlipwayAgent"
