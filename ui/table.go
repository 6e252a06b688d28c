package ui

import (
	"net/url"
	"strconv"
	"strings"

	"slipway/ui/internal/view"
)

// pageSize is the number of rows of one page of a table: enough to scan, few
// enough to stay fast while every row is live.
const pageSize = 100

func itoa(n int) string                  { return strconv.Itoa(n) }
func compareText(a, b string) int        { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }
func contains(text, lowered string) bool { return strings.Contains(strings.ToLower(text), lowered) }
func pageURL(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// tableQuery is the state of a table, all of it in the address.
type tableQuery struct {
	path   string
	text   string
	status string
	sort   string
	desc   bool
	page   int // from 1
}

// readTable reads it; a sort nobody offers becomes the usual one. Descending is
// a leading minus.
func readTable(v *visit, sorts []sortColumn, usual string) tableQuery {
	t := tableQuery{path: v.r.URL.Path, text: strings.TrimSpace(v.query("q")), status: v.query("status"), page: 1}
	t.sort, t.desc = strings.CutPrefix(usual, "-")
	name, desc := strings.CutPrefix(v.query("sort"), "-")
	for _, s := range sorts {
		if s.key != "" && s.key == name {
			t.sort, t.desc = name, desc
		}
	}
	if n, err := strconv.Atoi(v.query("page")); err == nil && n > 1 {
		t.page = n
	}
	return t
}

// sortColumn is a column; without a key it cannot be sorted by.
type sortColumn struct {
	key, label string
	descFirst  bool // the first click sorts downwards: times
	num        bool
}

func (t tableQuery) values() url.Values {
	q := url.Values{}
	if t.text != "" {
		q.Set("q", t.text)
	}
	if t.status != "" {
		q.Set("status", t.status)
	}
	return q
}

func (t tableQuery) sortText() string {
	if t.desc {
		return "-" + t.sort
	}
	return t.sort
}

func (t tableQuery) columns(sorts []sortColumn) []view.Column {
	var out []view.Column
	for _, s := range sorts {
		col := view.Column{Label: s.label, Num: s.num}
		if s.key != "" {
			next := t
			next.sort, next.desc = s.key, s.descFirst
			if t.sort == s.key {
				next.desc = !t.desc
				col.Sort = map[bool]string{false: "ascending", true: "descending"}[t.desc]
			}
			q := next.values()
			q.Set("sort", next.sortText())
			col.Href = pageURL(t.path, q)
		}
		out = append(out, col)
	}
	return out
}

// facet is a link to the same table narrowed to one status.
func (t tableQuery) facet(status, label string, n int) view.Facet {
	next := t
	next.status = status
	return view.Facet{Label: label, N: n, Current: t.status == status, Href: pageURL(t.path, next.values())}
}

// cut returns the bounds of this page among total rows, and the way to its neighbours.
func (t tableQuery) cut(total int) (from, to int, p view.Pager) {
	last := max(1, (total+pageSize-1)/pageSize)
	page := min(t.page, last)
	from, to = (page-1)*pageSize, min(page*pageSize, total)
	link := func(n int) string {
		q := t.values()
		q.Set("sort", t.sortText())
		q.Set("page", itoa(n))
		return pageURL(t.path, q)
	}
	p = view.Pager{From: from + 1, To: to, Total: total}
	if page > 1 {
		p.Prev = link(page - 1)
	}
	if page < last {
		p.Next = link(page + 1)
	}
	return from, to, p
}
