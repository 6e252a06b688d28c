package fleet

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The formats in which the log of a deployment is handed out.
const (
	LogText    = "text"
	LogJSON    = "jsonl"   // one LogLine as JSON on each line
	LogCMTrace = "cmtrace" // as Configuration Manager's log viewers read it
)

// LogFormats lists the formats of logs.
func LogFormats() []string { return []string{LogText, LogJSON, LogCMTrace} }

// LogFile returns media type and file name ending of a format; false when it is none.
func LogFile(format string) (mediaType, ending string, ok bool) {
	switch format {
	case LogText:
		return "text/plain; charset=utf-8", ".txt", true
	case LogJSON:
		return "application/jsonl", ".jsonl", true
	case LogCMTrace:
		return "text/plain; charset=utf-8", ".log", true
	}
	return "", "", false
}

// AppendLogLine appends a line of a log in a format, its end included.
func AppendLogLine(dst []byte, format string, l LogLine) []byte {
	switch format {
	case LogJSON:
		text, err := json.Marshal(l)
		if err != nil { // texts, numbers and times always have a JSON form
			return dst
		}
		return append(append(dst, text...), '\n')
	case LogCMTrace:
		return appendCMTrace(dst, l)
	}
	step := ""
	if l.Step != "" {
		step = "[" + l.Step + "] "
	}
	return fmt.Appendf(dst, "%s %-5s %s%s\n", l.Time.UTC().Format(time.RFC3339), l.Level, step, l.Text)
}

// appendCMTrace writes
//
//	<![LOG[text]LOG]!><time="08:00:00.000+000" date="11-21-2026" component="step" context="" type="1" thread="1" file="">
//
// The time is followed by the minutes that are added to get UTC: none. Type is 1 for
// information, 2 for a warning, 3 for an error. The viewers take what follows the
// first "]LOG]!>" for attributes, so a text must not hold one.
func appendCMTrace(dst []byte, l LogLine) []byte {
	kind := 1 + max(0, slices.Index([]string{"info", "warn", "error"}, l.Level))
	text := strings.ReplaceAll(l.Text, "]LOG]!>", "]LOG] !>")
	component := strings.NewReplacer(`"`, "'", "<", "(", ">", ")").Replace(l.Step)
	if component == "" {
		component = "Slipway"
	}
	t := l.Time.UTC()
	return fmt.Appendf(dst, "<![LOG[%s]LOG]!><time=\"%s+000\" date=\"%s\" component=\"%s\" context=\"\" type=\"%d\" thread=\"1\" file=\"\">\r\n",
		text, t.Format("15:04:05.000"), t.Format("01-02-2006"), component, kind)
}
