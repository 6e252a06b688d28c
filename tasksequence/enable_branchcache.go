package tasksequence

// EnableBranchCache is the id of the step that lets Windows share content with its
// neighbours.
const EnableBranchCache = "enable-branchcache"

func enableBranchCache() Definition {
	return Definition{
		Format: Format, ID: EnableBranchCache, Version: 1,
		Name: "Enable BranchCache", Category: "Operating system",
		Description: "Switches BranchCache on, as a distributed cache: computers of one network give each other what they have fetched from servers that " +
			"offer it. The appliance itself does not: its content and boot files are not shared in this way.",
		Environments: []string{FullOS},
		Systems:      onlyWindows(),
		Interruption: RunAgain,
		Executor:     EnableBranchCache,
		Options: []Option{
			{Name: "BCPort", Label: "Port", Type: TypeInteger, Default: raw(`1337`), Rule: between(1, 65535),
				Help: "The TCP port on which computers ask each other. All of a network need the same one. It is opened in Windows' firewall."},
			{Name: "ServeOnBattery", Label: "Serve on battery", Type: TypeBoolean, Default: raw(`true`),
				Help: "The computer gives others what it has while it runs on battery, too."},
			{Name: "TTL", Label: "Keep for", Type: TypeInteger, Unit: "days", Default: raw(`180`), Rule: between(1, 3650),
				Help: "How long content stays in the cache."},
		},
	}
}
