package tasksequence

// The ids of the steps that add drivers and firmware.
const (
	InjectDrivers    = "inject-drivers"
	InjectDriverPack = "inject-driver-pack"
)

const injectHelp = "On Linux a pack holds firmware (below firmware/ or lib/firmware/), kernel modules (below lib/modules/<release>/) and " +
	"packages (.deb, .rpm). In the boot image they go into the system on the target disk. " +
	"For Windows it holds drivers (.inf): WinPE adds them to the Windows on the target disk by DISM, the Linux boot image lays them down for its first start, " +
	"and a Windows that runs takes them in by pnputil."

func injectDrivers() Definition {
	return Definition{
		Format: Format, ID: InjectDrivers, Version: 1,
		Name: "Inject drivers", Category: "Drivers",
		Description: "Adds the driver packs of this model: those that match MakeAlias and ModelAlias, else Make and Model, else Make and SystemAlias, " +
			"else MakeAlias and SystemAlias. A model without a pack is no failure. " + injectHelp,
		Environments: allEnvironments(),
		Interruption: RunAgain,
		Executor:     InjectDrivers,
	}
}

func injectDriverPack() Definition {
	return Definition{
		Format: Format, ID: InjectDriverPack, Version: 1,
		Name: "Inject driver pack", Category: "Drivers",
		Description:  "Adds one driver pack. " + injectHelp,
		Environments: allEnvironments(),
		Interruption: RunAgain,
		Executor:     InjectDriverPack,
		Options: []Option{
			{Name: "DriverPack", Label: "Driver pack", Type: TypeContent, Purpose: PurposeDriverPack, Stream: true, Required: true,
				Help: "The content item to add."},
		},
	}
}
