package tasksequence

// The purposes of content items.
const (
	PurposeApplication     = "application"
	PurposeDriverPack      = "driverpack"
	PurposeOperatingSystem = "operatingsystem"
	PurposeOther           = "other"
)

// Purposes lists the purposes of content items.
func Purposes() []string {
	return []string{PurposeApplication, PurposeDriverPack, PurposeOperatingSystem, PurposeOther}
}

// ContentVariable is the name of the variable that holds the folder on the device
// into which the content of an option was put.
func ContentVariable(option string) string { return "_CONTENT-" + option }

// Content is one version of a content item, as far as a document names it.
type Content struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Name    string `json:"name"`
	Purpose string `json:"purpose"`
	Size    int64  `json:"size"` // bytes of all files
}

// Reference returns "id:version" of the version.
func (c Content) Reference() Reference { return Reference{ID: c.ID, Version: c.Version} }
