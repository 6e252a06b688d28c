package ui

// notices is what "?done=" may say; anything else says nothing.
var notices = map[string]string{
	"passcode-set":     "The passcode is set. Devices ask for it from now on.",
	"passcode-changed": "The passcode was changed. Tell your technicians the new one.",
	"passcode-cleared": "The passcode was cleared.",
	"passcode-added":   "The passcode is set and works from now on.",
	"passcode-removed": "The passcode was removed. What it was used for goes on.",
	"signin-saved":     "Saved, and in force from now on.",
	"signin-same":      "Nothing was changed.",
	"released":         "Released: the device may try again.",
	"renamed":          "The device was renamed.",
	"assigned":         "The task sequence was assigned.",
	"boot":             "The boot policy was saved.",
	"way":              "What the firmware is given first was saved.",
	"revoked":          "Signed out: the device has to sign in again.",
	"cancelled":        "The device was told to stop after its current step.",
	"imported":         "The task sequence was imported.",
	"build":            "The build has started. It goes on if you leave this page.",
	"account-added":    "The account was added.",
	"account-role":     "The role was changed, effective at once.",
	"account-password": "The password was changed. The account was signed out everywhere.",
	"account-glass":    "Saved.",
	"account-removed":  "The account was removed and signed out everywhere.",
	"token-revoked":    "The token was revoked. Scripts that use it are refused from now on.",
	"theme":            "Saved for this browser.",
	"welcome":          "Welcome. This is the first account; add more under Accounts.",
}
