package wire

// WinPEFormat is the format of WinPERequest and WinPEImage.
const WinPEFormat = 1

// WinPERequest is the body of POST /deployments/{id}/winpe: a deployment in an installed
// Windows is to go on in a Windows PE that the agent puts onto the disk.
type WinPERequest struct {
	Format       int    `json:"format"`
	Architecture string `json:"architecture"` // x64 or arm64
	// Binding is that of the agent's own key (hex SHA-256 of its certificate), when the
	// answer shall bring a token for that key: one that is bound to the machine's own
	// certificate is worth nothing in Windows PE, which cannot read the machine's store.
	Binding string `json:"binding,omitempty"`
}

// WinPEImage answers a WinPERequest. 404 says that no image for the architecture is served.
type WinPEImage struct {
	Format int        `json:"format"`
	Image  string     `json:"image"` // id
	Files  []BootFile `json:"files"` // boot.wim and boot.sdi
	// Lacks are the parts of Windows PE that the image does not hold, as
	// tasksequence.Definition.Parts has them, with their names.
	Lacks map[string]string `json:"lacks,omitempty"`
	Token *Token            `json:"token,omitempty"` // for the key of the request; a secret
}

// BootFile is a file of a boot image. What stands at its path never changes.
type BootFile struct {
	Name   string `json:"name"`
	Path   string `json:"path"` // on the appliance's HTTPS address: "/boot/<id>/<name>"
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}
