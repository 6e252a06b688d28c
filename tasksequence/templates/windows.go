package templates

import (
	"encoding/json"

	ts "slipway/tasksequence"
)

// windowsDrafts are the sequences for Windows. Those from the cloud, and the one that
// captures, begin in Windows PE, the others in either boot image.
func windowsDrafts() []Template {
	return []Template{windowsBareMetal(), windowsRefresh(), windowsFromCloud(), windowsBuildAndCapture(), autopilotFromCloud(), autopilotPreProvisioning()}
}

// windowsLayout makes the partitions of Windows.
func windowsLayout(n *ts.Node) {
	n.Settings = map[string]json.RawMessage{"Layout": json.RawMessage(`"windows"`)}
}

// windowsInstall is the way from an empty disk into a Windows that goes on with the
// sequence. apply is the step that brings Windows.
func windowsInstall(apply ts.Node, more ...ts.Node) ts.Node {
	members := append([]ts.Node{
		step("format-disk", "Format disk", windowsLayout),
		apply,
		step("inject-drivers", "Inject drivers")}, more...)
	return group("install", "Install", append(members,
		step("prepare-operating-system", "Prepare operating system"),
		reboot("restart", "Restart from the disk", ts.RebootDisk))...)
}

func applyWindows() ts.Node { return step("apply-operating-system", "Apply operating system") }
func applyFromCloud() ts.Node {
	return step("apply-operating-system-from-cloud", "Apply operating system from cloud")
}

// named sets what Windows is called and who may sign in.
func named() []ts.Node {
	return []ts.Node{step("configure-operating-system", "Configure operating system"),
		step("enable-administrator-account", "Enable Administrator account", ifSet("AdminPassword"))}
}

// applications bring Windows up to date.
func applications() []ts.Node {
	return []ts.Node{step("install-multiple-applications", "Install applications", ifSet("Applications")),
		step("install-updates", "Install updates", tolerated)}
}

func windowsBareMetal() Template {
	return template("windows-bare-metal", "Windows bare metal",
		"Partitions the disk, applies a Windows of your own, adds its drivers and goes on in it: applications, updates.",
		windowsInstall(applyWindows(), named()...),
		group("configure", "In the new Windows", applications()...))
}

// inPresentWindows lets a step run only in the installed system in which the sequence began.
func inPresentWindows(n ts.Node) ts.Node {
	n.Environments = []string{ts.FullOS}
	return n
}

func windowsRefresh() Template {
	return template("windows-refresh", "Windows refresh",
		"Puts Windows anew onto a computer that is in use: started in its present Windows, it restarts into Windows PE from the computer's own disk, with BitLocker suspended, "+
			"and goes on as Windows bare metal. Everything on the disk is lost: save what is needed in the first group. Begun in a boot image it is Windows bare metal.",
		group("present", "In the present Windows",
			inPresentWindows(reboot("to-windows-pe", "Restart into Windows PE", ts.RebootImage))),
		windowsInstall(applyWindows(), named()...),
		group("configure", "In the new Windows", applications()...))
}

func windowsFromCloud() Template {
	return template("windows-bare-metal-from-cloud", "Windows bare metal from cloud",
		"As Windows bare metal, with a Windows that the appliance fetches from Microsoft, as its catalogue has it. It begins in Windows PE.",
		windowsInstall(applyFromCloud(), named()...),
		group("configure", "In the new Windows", applications()...))
}

func windowsBuildAndCapture() Template {
	return template("windows-build-and-capture", "Windows build and capture",
		"Builds a reference Windows on a machine, generalizes it with sysprep, and captures it as new content. It begins in Windows PE.",
		windowsInstall(applyWindows()),
		group("build", "In the new Windows",
			step("install-multiple-applications", "Install applications", ifSet("Applications")),
			step("install-updates", "Install updates"),
			step("prepare-for-capture", "Prepare for capture"),
			reboot("back", "Restart from the boot image", ts.RebootImage)),
		group("capture", "Capture",
			step("capture-image", "Capture image")))
}

func autopilotFromCloud() Template {
	return template("autopilot-from-cloud", "Autopilot from cloud",
		"Brings a clean Windows from Microsoft onto the disk, registers the device with Autopilot, waits for its profile and hands it over as if it were new. It begins in Windows PE.",
		windowsInstall(applyFromCloud()),
		group("autopilot", "In the new Windows",
			step("register-with-autopilot", "Register with Autopilot"))).endsIn("reseal")
}

func autopilotPreProvisioning() Template {
	return template("autopilot-pre-provisioning", "Autopilot pre-provisioning",
		"Applies a Windows of your own with its applications and updates, registers the device with Autopilot, waits for its profile and hands it over, "+
			"ready for pre-provisioning (Windows key five times) or for its user.",
		windowsInstall(applyWindows()),
		group("autopilot", "In the new Windows", append(applications(),
			step("register-with-autopilot", "Register with Autopilot"))...)).endsIn("reseal")
}
