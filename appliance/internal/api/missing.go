package api

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// missingWords is the answer where nothing better is known of what is missing. Devices
// get it always: they do not learn what else there is.
const missingWords = "There is no such thing."

// missingNouns name what stands behind a segment of a route's path.
var missingNouns = map[string]string{
	"accounts": "account", "builds": "build", "content-jobs": "job", "deployments": "deployment", "device-tokens": "sign-in",
	"devices": "device", "held": "device held back under", "images": "boot image", "media": "medium", "passcodes": "passcode",
	"sequences": "task sequence", "steps": "step definition", "tokens": "token",
}

// missing says which thing of an administrator's request is not there, by the last
// parameter of its route that names one.
func missing(c *gin.Context) string {
	route, found := strings.CutPrefix(c.FullPath(), admin+"/")
	if !found {
		return missingWords
	}
	words := missingWords
	var before string
	for _, segment := range strings.Split(route, "/") {
		if name, ok := strings.CutPrefix(segment, ":"); ok && missingNouns[before] != "" {
			words = "There is no " + missingNouns[before] + " " + quoteShort(c.Param(name)) + "."
		}
		before = segment
	}
	return words
}

// quoteShort is text as it was sent, fit for one line.
func quoteShort(text string) string {
	const most = 80
	if len(text) > most {
		for text = text[:most]; !utf8.ValidString(text) && text != ""; {
			text = text[:len(text)-1]
		}
		text += "…"
	}
	return strconv.Quote(text)
}
