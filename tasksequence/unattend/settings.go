package unattend

// Pass is a stage of Windows Setup.
type Pass string

// The passes, in the order in which they run.
const (
	WindowsPE        Pass = "windowsPE"
	OfflineServicing Pass = "offlineServicing"
	Generalize       Pass = "generalize"
	Specialize       Pass = "specialize"
	AuditSystem      Pass = "auditSystem"
	AuditUser        Pass = "auditUser"
	OOBESystem       Pass = "oobeSystem"
)

// Passes lists all passes.
func Passes() []Pass {
	return []Pass{WindowsPE, OfflineServicing, Generalize, Specialize, AuditSystem, AuditUser, OOBESystem}
}

// The architectures of components.
const (
	AMD64 = "amd64"
	ARM64 = "arm64"
	X86   = "x86"
)

// Settings are what an answer file says. What is empty is not written, and stays as a
// given file has it.
type Settings struct {
	Architecture string // AMD64, ARM64 or X86: that of the Windows installed

	SystemLocale string // e.g. de-DE
	UserLocale   string // e.g. de-DE
	UILanguage   string // e.g. de-DE
	InputLocale  string // e.g. de-DE or 0407:00000407; several are separated by ;
	TimeZone     string // e.g. "W. Europe Standard Time"; names of the time zone database are translated

	ComputerName           string // 15 characters at most; * lets Windows choose one
	RegisteredOwner        string
	RegisteredOrganization string
	ProductKey             Secret
	CopyProfile            *bool // the default profile becomes that of the built-in Administrator

	AdministratorPassword Secret
	Accounts              []Account
	AutoLogon             *AutoLogon

	Domain    *Domain
	Workgroup string

	OOBE   *OOBE
	Reseal string // Audit or OOBE: what Windows starts into after the oobeSystem pass

	Commands   []Command // run while Windows is set up
	FirstLogon []Command // run once at the first logon; Pass is not used

	DriverPaths  []string // folders of drivers that are added offline
	KeepDrivers  bool     // generalize leaves the drivers of found devices installed
	WindowsSetup bool     // also write what setup.exe asks in the windowsPE pass
}

// Account is a local account.
type Account struct {
	Name        string
	DisplayName string
	Description string
	Group       string // e.g. Administrators; several are separated by ;
	Password    Secret
}

// AutoLogon signs an account in by itself.
type AutoLogon struct {
	Username string
	Domain   string // empty: the computer
	Password Secret
	Count    int // how often
}

// Domain is joined in the specialize pass: by an account, or by a blob that djoin made
// on the server's side.
type Domain struct {
	Name string // DNS or NetBIOS name
	OU   string // distinguished name of the organizational unit; empty: the domain's default

	Username       string
	UsernameDomain string // empty: the domain that is joined
	Password       Secret

	Blob Secret // offline domain join; Name and account are not needed then
}

// OOBE says what of the first-run dialogs is left out.
type OOBE struct {
	HideEULA                 bool
	HideOEMRegistration      bool
	HideOnlineAccountScreens bool
	HideWirelessSetup        bool
	HideLocalAccount         bool
	SkipMachineOOBE          bool   // deprecated by Microsoft, for tests only
	SkipUserOOBE             bool   // deprecated by Microsoft, for tests only
	ProtectYourPC            int    // 1 recommended, 2 updates only, 3 off; 0: not written
	NetworkLocation          string // Home, Work or Other; Windows 7 and 8 read it
}

// Command is a command line.
type Command struct {
	Pass        Pass // WindowsPE, Specialize or AuditUser
	Order       int  // 0: behind those that are there
	Line        string
	Description string
	Reboot      string // Always, OnRequest or Never; empty: not written
}
