package powershell

// cmdlet is one cmdlet: a name for a call of the API.
type cmdlet struct {
	name    string // Verb-Noun, with an approved verb
	method  string
	path    string // below /api/v1
	example string // parameters of the example
	text    string // more help

	fixed  map[string]string // members of the body that are always the same
	file   bool              // the body is a text file that is named by LiteralPath
	bytes  bool              // with file: it is a file of bytes
	export bool              // the answer is a document that can be written to a file
	only   []string          // members of the body that are offered; nil: all
}

// cmdlets are all, by areas.
func cmdlets() []cmdlet {
	const a = "/admin"
	return []cmdlet{
		{name: "Get-SlipwaySequence", method: "GET", path: a + "/sequences"},
		{name: "Export-SlipwaySequence", method: "GET", path: a + "/sequences/{id}", export: true, example: "-Id mdt-w11:2 -OutFile w11.json",
			text: "Secret settings are exported as ***. Imported again, *** keeps the value there is."},
		{name: "Import-SlipwaySequence", method: "POST", path: a + "/sequences", file: true, example: "-LiteralPath w11.json",
			text: "The file is JSON or YAML. Without an id it becomes a new task sequence, without a version the next version."},
		{name: "Test-SlipwaySequence", method: "POST", path: a + "/sequences/validation", file: true, example: "-LiteralPath w11.json"},
		{name: "Get-SlipwayTemplate", method: "GET", path: a + "/templates"},
		{name: "New-SlipwaySequence", method: "POST", path: a + "/templates", example: "-Template wipe-disk -Name 'Wipe the disk'"},
		{name: "Get-SlipwayStep", method: "GET", path: a + "/steps"},

		{name: "Get-SlipwayContent", method: "GET", path: a + "/content"},
		{name: "Get-SlipwayContentItem", method: "GET", path: a + "/content/{item}", example: "-Item Editor"},
		{name: "Add-SlipwayContent", method: "POST", path: a + "/content", example: "-Name Editor -Purpose application -Command 'setup.exe /quiet' -Uploads (Send-SlipwayFile .\\setup.exe)",
			text: "The bytes are those of an address (Url) or of files that Send-SlipwayFile sent (Uploads). The answer is a job: see Get-SlipwayContentJob.", only: []string{"name", "description", "purpose", "tags", "manufacturer", "models", "command", "status", "url", "sha256", "uploads", "asIs", "keepOriginal"}},
		{name: "Set-SlipwayContent", method: "PATCH", path: a + "/content/{item}", example: "-Item 'Latitude drivers' -Manufacturer 'Dell Inc.' -Models 'Latitude 5440'"},
		{name: "Set-SlipwayContentStatus", method: "PUT", path: a + "/content/{item}/versions/{version}/status", example: "-Item Editor -Version 2 -Status deprecated"},
		{name: "Remove-SlipwayContent", method: "DELETE", path: a + "/content/{item}", example: "-Item Editor"},
		{name: "Remove-SlipwayContentVersion", method: "DELETE", path: a + "/content/{item}/versions/{version}", example: "-Item Editor -Version 1"},
		{name: "Get-SlipwayContentJobList", method: "GET", path: a + "/content-jobs"},
		{name: "Get-SlipwayContentJob", method: "GET", path: a + "/content-jobs/{id}", example: "-Id $job.id"},
		{name: "Stop-SlipwayContentJob", method: "DELETE", path: a + "/content-jobs/{id}", example: "-Id $job.id"},
		{name: "Test-SlipwayContent", method: "POST", path: a + "/content-jobs/verify", example: "-Item Editor"},

		{name: "Get-SlipwayCatalogue", method: "GET", path: a + "/catalogues"},
		{name: "Import-SlipwayCatalogue", method: "POST", path: a + "/catalogues", example: "-Vendor dell", only: []string{"vendor", "url"},
			text: "With a Vendor (dell, hp, lenovo, microsoft) its published list is read, from Url when one is given; with Url alone a catalogue in Slipway's own form."},
		{name: "Update-SlipwayCatalogue", method: "POST", path: a + "/catalogues/{name}/refresh", example: "-Name dell"},
		{name: "Remove-SlipwayCatalogue", method: "DELETE", path: a + "/catalogues/{name}", example: "-Name hp"},
		{name: "Find-SlipwayCatalogueEntry", method: "GET", path: a + "/catalogue-entries", example: "-Text 'latitude 5440'",
			text: "The answer has at most 200 entries, and in total how many there are. Kind is driverpack or operatingsystem."},

		{name: "Get-SlipwayBootImage", method: "GET", path: a + "/images"},
		{name: "Get-SlipwayBootImageBuildList", method: "GET", path: a + "/images/builds"},
		{name: "Get-SlipwayBootImageBuild", method: "GET", path: a + "/images/builds/{id}", example: "-Id $build.id"},
		{name: "Start-SlipwayBootImageBuild", method: "POST", path: a + "/images/builds", example: "-Kind linux -Profile client",
			text: "What names files of the appliance, as for Windows PE, is built on the appliance itself only: slipway image build.", only: []string{"kind", "profile", "keyboard", "lab"}},

		{name: "Get-SlipwayWimboot", method: "GET", path: a + "/images/wimboot"},
		{name: "Add-SlipwayWimboot", method: "PUT", path: a + "/images/wimboot", file: true, bytes: true, example: "-LiteralPath .\\wimboot", text: "The file is that of a release of the wimboot project."},
		{name: "Remove-SlipwayWimboot", method: "DELETE", path: a + "/images/wimboot"},

		{name: "Get-SlipwayGraphSetting", method: "GET", path: a + "/graph", text: "Secrets are not answered, only what may be known of them."},
		{name: "Set-SlipwayGraphSetting", method: "PATCH", path: a + "/graph", example: "-Settings @{ tenant = '1f0c9a52-6d3b-4a1e-9c57-0123456789ab'; client_secret = $secret }"},
		{name: "Test-SlipwayGraph", method: "POST", path: a + "/graph/test", text: "Nothing is changed in the tenant."},

		{name: "Get-SlipwayDeviceList", method: "GET", path: a + "/devices"},
		{name: "Get-SlipwayDevice", method: "GET", path: a + "/devices/{id}", example: "-Id 52:54:00:12:34:56"},
		{name: "Set-SlipwayDeviceSequence", method: "PUT", path: a + "/devices/{id}/sequence", example: "-Id PC-0815 -Sequence mdt-w11", text: "An empty Sequence assigns none."},
		{name: "Set-SlipwayDeviceBoot", method: "PUT", path: a + "/devices/{id}/boot", example: "-Id PC-0815 -Target image -Once", text: "Target is image, disk or silent."},
		{name: "Set-SlipwayDeviceWay", method: "PUT", path: a + "/devices/{id}/way", example: "-Id PC-0815 -Way one-file"},

		{name: "Get-SlipwayDeploymentList", method: "GET", path: a + "/deployments"},
		{name: "Get-SlipwayDeployment", method: "GET", path: a + "/deployments/{id}", example: "-Id $deployment.id"},
		{name: "Get-SlipwayDeploymentLog", method: "GET", path: a + "/deployments/{id}/log", export: true, example: "-Id $deployment.id -Format cmtrace -OutFile deployment.log",
			text: "With Format (text, jsonl, cmtrace) the whole log, without it a page of lines."},
		{name: "Suspend-SlipwayDeployment", method: "POST", path: a + "/deployments/{id}/orders", fixed: map[string]string{"order": "pause"}, example: "-Id $deployment.id"},
		{name: "Resume-SlipwayDeployment", method: "POST", path: a + "/deployments/{id}/orders", fixed: map[string]string{"order": "continue"}, example: "-Id $deployment.id"},
		{name: "Stop-SlipwayDeployment", method: "POST", path: a + "/deployments/{id}/orders", fixed: map[string]string{"order": "cancel"}, example: "-Id $deployment.id"},
	}
}

// help says what parameters are; those that stand nowhere here are named by the API.
var help = map[string]string{
	"Id":           "The id. A device can also be named by its name, a MAC address or its UUID; a task sequence as id:version.",
	"Item":         "The content item, by its id or name.",
	"Version":      "The number of the version.",
	"Format":       "json or yaml for task sequences; text, jsonl or cmtrace for logs.",
	"From":         "The number of the first line.",
	"Limit":        "How many lines at most.",
	"Name":         "The name. That of an existing content item adds a version to it.",
	"Description":  "A text for people.",
	"Purpose":      "application, driverpack, operatingsystem or other; needed for a new item.",
	"Tags":         "Words to find it by.",
	"Manufacturer": "A driver pack's maker, as devices name it.",
	"Models":       "A driver pack's models, as devices name them.",
	"Command":      "An application's installation command line.",
	"Status":       "development, active or deprecated.",
	"Url":          "The address that the appliance fetches the file or list from.",
	"Sha256":       "The hash that the fetched file must have, 64 hex digits.",
	"Uploads":      "What Send-SlipwayFile answered.",
	"AsIs":         "Convert nothing.",
	"KeepOriginal": "Keep a disk image beside its converted form.",
	"Template":     "One of those that Get-SlipwayTemplate lists.",
	"Content":      "A hashtable of the template's places to content items.",
	"Kind":         "The kind: of a boot image linux, of an entry driverpack or operatingsystem.",
	"Profile":      "Which drivers: client or server.",
	"Keyboard":     "The layout that the prompt starts with.",
	"Lab":          "For labs only: allow a rescue shell and a passcode on the kernel command line.",
	"Sequence":     "The task sequence, as id or id:version; empty for none.",
	"Target":       "image, disk or silent.",
	"Once":         "At the next boot only.",
	"Way":          "ipxe, one-file, shim or signed-ipxe; empty for the appliance's default.",
	"LiteralPath":  "The file; a task sequence is JSON or YAML.",
	"Vendor":       "dell, hp, lenovo or microsoft.",
	"Catalogue":    "The name of the catalogue.",
	"Text":         "Words that name, model, Windows or edition must hold.",
	"Os":           "The Windows, as Windows 11.",
	"Settings":     "A hashtable of settings by the names that Get-SlipwayGraphSetting lists; an empty value removes one.",
	"OutFile":      "The file to write. Without it the document is answered as text.",
}
