package bootimages

// Progress is one report of a build. Line is a log line when not empty.
type Progress struct {
	Stage   string
	Percent int // of the whole build, never falling
	Line    string
}

// Report receives progress. It is called from one goroutine at a time and must
// not block for long.
type Report func(Progress)

// meter keeps the percentage of a whole build from the parts' shares.
type meter struct {
	report   Report
	stage    string
	from, to int
	last     int
}

// begin starts a stage that spans the given percentages.
func (m *meter) begin(stage string, from, to int) {
	m.stage, m.from, m.to, m.last = stage, from, to, from
	m.report(Progress{Stage: stage, Percent: from})
}

// done reports progress within the stage, once for each percent.
func (m *meter) done(n, total int64) {
	if total <= 0 {
		return
	}
	p := m.from + int(int64(m.to-m.from)*min(n, total)/total)
	if p > m.last {
		m.last = p
		m.report(Progress{Stage: m.stage, Percent: p})
	}
}

func (m *meter) note(line string) {
	m.report(Progress{Stage: m.stage, Percent: m.last, Line: line})
}
