package fleet

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"
)

func TestLogFormats(t *testing.T) {
	at := time.Date(2026, 11, 1, 23, 5, 6, 7e6, time.FixedZone("", 3600))
	lines := []LogLine{{Number: 1, Time: at, Level: "info", Text: "plain"}, {Number: 2, Time: at, Level: "warn", Step: `g/"a"`, Text: `a "quote" & <tag>`},
		{Number: 3, Time: at, Level: "error", Step: "s>t", Text: `x]LOG]!><time="00:00:00.000+000" type="1">`}, {Number: 4, Time: at, Level: "debug", Text: ""}}
	want := map[string]string{
		LogText: "2026-11-01T22:05:06Z info  plain\n2026-11-01T22:05:06Z warn  [g/\"a\"] a \"quote\" & <tag>\n" +
			"2026-11-01T22:05:06Z error [s>t] x]LOG]!><time=\"00:00:00.000+000\" type=\"1\">\n2026-11-01T22:05:06Z debug \n",
		LogCMTrace: "<![LOG[plain]LOG]!><time=\"22:05:06.007+000\" date=\"11-01-2026\" component=\"Slipway\" context=\"\" type=\"1\" thread=\"1\" file=\"\">\r\n" +
			"<![LOG[a \"quote\" & <tag>]LOG]!><time=\"22:05:06.007+000\" date=\"11-01-2026\" component=\"g/'a'\" context=\"\" type=\"2\" thread=\"1\" file=\"\">\r\n" +
			"<![LOG[x]LOG] !><time=\"00:00:00.000+000\" type=\"1\">]LOG]!><time=\"22:05:06.007+000\" date=\"11-01-2026\" component=\"s)t\" context=\"\" type=\"3\" thread=\"1\" file=\"\">\r\n" +
			"<![LOG[]LOG]!><time=\"22:05:06.007+000\" date=\"11-01-2026\" component=\"Slipway\" context=\"\" type=\"1\" thread=\"1\" file=\"\">\r\n",
	}
	for format, text := range want {
		var got []byte
		for _, l := range lines {
			got = AppendLogLine(got, format, l)
		}
		if string(got) != text {
			t.Errorf("%s:\n%s\nwant\n%s", format, got, text)
		}
	}
	// What a viewer of the format looks for stands once in each line.
	entry := regexp.MustCompile(`\A<!\[LOG\[(?s:.*?)\]LOG\]!><time="\d\d:\d\d:\d\d\.\d{3}[+-]\d{3}" date="\d\d-\d\d-\d{4}" component="[^"]*" context="" type="[123]" thread="\d+" file="">\r\n\z`)
	for _, l := range lines {
		if text := AppendLogLine(nil, LogCMTrace, l); !entry.Match(text) {
			t.Errorf("not an entry: %s", text)
		}
		var back LogLine
		if err := json.Unmarshal(AppendLogLine(nil, LogJSON, l), &back); err != nil || !back.Time.Equal(l.Time) || back.Text != l.Text || back.Step != l.Step {
			t.Errorf("got %+v, %v", back, err)
		}
	}
	for _, format := range LogFormats() {
		if _, ending, ok := LogFile(format); !ok || ending == "" {
			t.Errorf("%s has no file name", format)
		}
	}
	if _, _, ok := LogFile("xml"); ok {
		t.Error("xml is taken for a format")
	}
}
