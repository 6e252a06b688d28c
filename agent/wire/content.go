package wire

// ChunkSize is the length in bytes of the pieces whose hashes a manifest names.
// The last piece of a file may be shorter.
const ChunkSize = 4 << 20

// FormHoles is the form of a disk image that was converted at intake: a zstd stream
// of frames of at most ChunkSize bytes each; a skippable frame (RFC 8878, 3.1.2) with
// the magic number 0x184D2A5B and 8 bytes of content, a little-endian length, stands
// for that many bytes of zeros.
const FormHoles = "raw+zstd-holes"

// ContentManifest answers GET /content/{item}/{version}: what a version holds.
type ContentManifest struct {
	Item         string        `json:"item"`
	Version      int           `json:"version"`
	Name         string        `json:"name"`
	Purpose      string        `json:"purpose"`                // application, driverpack, operatingsystem, other
	Size         int64         `json:"size"`                   // bytes of all files
	Command      string        `json:"command,omitempty"`      // an application's installation command line
	Manufacturer string        `json:"manufacturer,omitempty"` // a driver pack's
	Models       []string      `json:"models,omitempty"`
	Files        []ContentFile `json:"files"`
}

// ContentFile is one file of a version. Path uses "/" and never leaves the folder.
type ContentFile struct {
	Path     string   `json:"path"`
	Mode     int      `json:"mode"` // permission bits
	Size     int64    `json:"size"`
	SHA256   string   `json:"sha256"`             // hex
	Chunks   []string `json:"chunks,omitempty"`   // hex SHA-256 of each ChunkSize bytes; left out for a file of one piece
	Form     string   `json:"form,omitempty"`     // how Original was converted at intake
	Original string   `json:"original,omitempty"` // path of the file that this one was made of
	RawSize  int64    `json:"rawSize,omitempty"`  // bytes after unpacking, where the appliance knows
}

// ContentQuery is the body of POST /deployments/{id}/content: asks for content that
// the task sequence does not name itself. What is answered is pinned to the
// deployment: the same query gets the same answer again.
type ContentQuery struct {
	Items   []string     `json:"items,omitempty"`   // "id", "id:version" or the name of an item
	Purpose string       `json:"purpose,omitempty"` // that the items must have
	Drivers *DriverQuery `json:"drivers,omitempty"` // or: the driver packs of a model
}

// DriverQuery describes a model by its gathered variables.
type DriverQuery struct {
	Make        string `json:"make,omitempty"`
	MakeAlias   string `json:"makeAlias,omitempty"`
	Model       string `json:"model,omitempty"`
	ModelAlias  string `json:"modelAlias,omitempty"`
	SystemAlias string `json:"systemAlias,omitempty"`
}

// ContentAnswer answers a ContentQuery in the order asked.
type ContentAnswer struct {
	Content []ContentVersion `json:"content"`
}

// ContentVersion names one version of an item.
type ContentVersion struct {
	Item    string `json:"item"`
	Version int    `json:"version"`
	Name    string `json:"name"`
	Purpose string `json:"purpose"`
	Size    int64  `json:"size"`
}

// ContentUpload is the body of POST /deployments/{id}/uploads: what a device
// captured becomes a new content version. The same key finds the same upload again.
type ContentUpload struct {
	Key         string `json:"key"`
	Item        string `json:"item,omitempty"` // id of the item that gets the version; empty: a new item
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Purpose     string `json:"purpose"`
	File        string `json:"file"` // name of the one file
}

// UploadState answers POST and GET of an upload, and each piece sent to it with
// PATCH /deployments/{id}/uploads/{upload}?offset=N.
type UploadState struct {
	Upload string `json:"upload"`
	Offset int64  `json:"offset"` // bytes that are kept
}

// UploadCommit is the body of POST /deployments/{id}/uploads/{upload}/commit. The
// answer is a ContentVersion.
type UploadCommit struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}
