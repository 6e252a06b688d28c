package certificate

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// choose puts the certificates of a store that may be meant in order: the one that
// is valid longest first. The numbers are places in list. The error says what was
// there and why it was not taken.
func choose(list []*x509.Certificate, o Options, now time.Time) ([]int, error) {
	var fit []int
	refused := map[string]int{}
	for i, c := range list {
		why := unusable(c, now)
		switch {
		case !part(o.StoreIssuer, c.Issuer.String()):
			why = "from another issuer than " + o.StoreIssuer
		case !part(o.StoreSubject, append([]string{c.Subject.String()}, c.DNSNames...)...):
			why = "for another subject than " + o.StoreSubject
		case now.After(c.NotAfter):
			why = "expired"
		case now.Before(c.NotBefore):
			why = "not valid yet"
		case why != "":
			why = "not for client authentication"
		default:
			fit = append(fit, i)
			continue
		}
		refused[why]++
	}
	if len(fit) == 0 {
		return nil, noneFits(len(list), refused)
	}
	slices.SortStableFunc(fit, func(a, b int) int {
		return cmp.Or(list[b].NotAfter.Compare(list[a].NotAfter), list[b].NotBefore.Compare(list[a].NotBefore))
	})
	return fit, nil
}

func noneFits(all int, refused map[string]int) error {
	if all == 0 {
		return errors.New("the machine's certificate store (Local Computer, Personal) is empty")
	}
	var parts []string
	for why, n := range refused {
		parts = append(parts, fmt.Sprintf("%d %s", n, why))
	}
	slices.Sort(parts)
	return fmt.Errorf("no certificate in the machine's store (Local Computer, Personal) can be used: %s", strings.Join(parts, ", "))
}

// part reports whether text is part of one of the names; no text is part of all.
func part(text string, names ...string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(strings.ToLower(n), text) })
}
