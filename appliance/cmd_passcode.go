package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/api"
	"slipway/appliance/internal/auth"
	"slipway/fleet"
)

func (a *app) passcodeCommand() *cobra.Command {
	clear := &cobra.Command{Use: "clear", Short: "Remove the shared passcode and the one it replaced", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.call(c.Context(), "DELETE", "/admin/passcode", nil, nil); err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.out, "The passcode is removed. Devices keep asking, and nothing is accepted until one is set.")
			return err
		}}
	status := &cobra.Command{Use: "status", Short: "Show whether a passcode is set, and how old it is", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.passcodeStatus(c.Context()) }}
	list := &cobra.Command{Use: "list", Short: "List the passcodes; their values are kept nowhere", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			var out api.Passcodes
			if err := a.call(c.Context(), "GET", "/admin/passcodes", nil, &out); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(out)
			}
			return a.table(passcodeRows(out.Passcodes))
		}}
	remove := &cobra.Command{Use: "remove NAME", Short: "Remove a named passcode and the one it replaced", Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.call(c.Context(), "DELETE", "/admin/passcodes/"+escape(args[0]), nil, nil); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.out, "The passcode %s is removed.\n", printable(args[0]))
			return err
		}}
	generate := &cobra.Command{Use: "generate", Short: "Make up a memorable strong passcode; it is not set", Args: usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			passcode := auth.GeneratePasscode()
			if a.json {
				return a.printJSON(api.SetPasscode{Passcode: passcode})
			}
			_, err := fmt.Fprintln(a.out, passcode)
			return err
		}}
	return group("passcode", "The passcodes that devices ask for", a.passcodeSet(), clear, a.jsonFlag(status), a.passcodeAdd(), a.jsonFlag(list), remove, a.jsonFlag(generate))
}

// newValue are the flags of a passcode that is being set.
type newValue struct {
	force, generate bool
	overlap         string
}

func (n *newValue) flags(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&n.force, "force", false, "accept a weak passcode")
	c.Flags().BoolVar(&n.generate, "generate", false, "make up a strong one and print it, instead of reading it")
	c.Flags().StringVar(&n.overlap, "overlap", "", "how long the value before is accepted as well, e.g. 24h or 7d")
	return c
}

// read takes the value from standard input, or makes one up.
func (n *newValue) read(a *app) (in api.PutPasscode, err error) {
	in.Force = n.force
	if n.overlap != "" {
		overlap, err := parseSpan(n.overlap)
		if err != nil {
			return in, usageError{fmt.Errorf("--overlap: %w", err)}
		}
		in.OverlapSeconds = int64(overlap / time.Second)
	}
	if n.generate {
		in.Value = auth.GeneratePasscode()
		return in, nil
	}
	in.Value, err = a.readSecret("Passcode")
	return in, err
}

// put sets a passcode and prints its value, this once, when it was made up.
func (n *newValue) put(ctx context.Context, a *app, name string, in api.PutPasscode) error {
	if err := a.call(ctx, "PUT", "/admin/passcodes/"+escape(name), in, nil); err != nil {
		return err
	}
	if n.generate {
		fmt.Fprintln(a.out, in.Value)
		fmt.Fprintln(a.err, "This is the only time that it is shown.")
	}
	return nil
}

func (a *app) passcodeSet() *cobra.Command {
	var n newValue
	return n.flags(&cobra.Command{Use: "set", Short: "Set or rotate the passcode, read from standard input", Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			in, err := n.read(a)
			if err != nil {
				return err
			}
			if err := n.put(c.Context(), a, "default", in); err != nil {
				return err
			}
			to := a.out
			if n.generate {
				to = a.err // the value alone is what a script reads
			}
			_, err = fmt.Fprintln(to, "The passcode is set. Devices that boot from now on are asked for it.")
			return err
		}})
}

func (a *app) passcodeAdd() *cobra.Command {
	var n newValue
	var scope fleet.Scope
	var expires string
	var uses int
	add := n.flags(&cobra.Command{Use: "add NAME", Short: "Set or rotate a named passcode beside the shared one, read from standard input",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if strings.EqualFold(args[0], "default") {
				return usageError{fmt.Errorf("default is the shared passcode; set it with: slipway passcode set")}
			}
			until := time.Time{}
			if expires != "" {
				var err error
				if until, err = parseExpiry(expires, time.Now()); err != nil {
					return usageError{fmt.Errorf("--expires: %w", err)}
				}
			}
			in, err := n.read(a)
			if err != nil {
				return err
			}
			in.ExpiresAt, in.MaxUses, in.Scope = until, uses, scope
			if err := n.put(c.Context(), a, args[0], in); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.err, "The passcode %s is set%s.\n", printable(args[0]), limitWords(until, uses))
			return err
		}})
	add.Flags().StringVar(&expires, "expires", "", "when it ends: 7d, 12h, or the last day, e.g. 2027-01-31")
	add.Flags().IntVar(&uses, "uses", 0, "how many sign-ins it is good for; 0 for any number")
	add.Flags().StringArrayVar(&scope.Sequences, "sequence", nil, "id of a task sequence it reaches; may be repeated, none for all")
	add.Flags().StringArrayVar(&scope.Devices, "device", nil, "id of a device it is for; may be repeated, none for all")
	add.Flags().StringArrayVar(&scope.Networks, "network", nil, "network it may be typed in, e.g. 192.0.2.0/24; may be repeated, none for all")
	return add
}

func limitWords(until time.Time, uses int) (words string) {
	if !until.IsZero() {
		words = " until " + stamp(until)
	}
	switch {
	case uses == 1:
		words += ", for one sign-in"
	case uses > 1:
		words += fmt.Sprintf(", for %d sign-ins", uses)
	}
	return words
}

// parseSpan reads a time span: 7d, or what Go takes, e.g. 24h.
func parseSpan(text string) (time.Duration, error) {
	if digits, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.Atoi(digits); err == nil && days > 0 && days <= 36500 {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	} else if span, err := time.ParseDuration(text); err == nil && span >= time.Second {
		return span, nil
	}
	return 0, fmt.Errorf("%q is no time span: use a number of days or hours, e.g. 7d or 24h", text)
}

// parseExpiry reads a time to come: a span from now, a day (its end, in local
// time), or a moment in RFC 3339.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	if moment, err := time.Parse(time.RFC3339, text); err == nil {
		return moment, nil
	}
	span, err := parseSpan(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time span nor a day: use e.g. 7d, 12h or 2027-01-31", text)
	}
	return now.Add(span), nil
}

// passcodeStatus shows the shared passcode, and what is to be said of the others.
func (a *app) passcodeStatus(ctx context.Context) error {
	var all api.Passcodes
	if err := a.call(ctx, "GET", "/admin/passcodes", nil, &all); err != nil {
		return err
	}
	shared, named := fleet.PasscodeStatus{}, all.Passcodes
	if len(named) > 0 && named[0].Name == "default" {
		shared, named = named[0], named[1:]
	}
	if a.json {
		shared.Name = ""
		return a.printJSON(shared)
	}
	if !shared.Set && len(named) > 0 {
		fmt.Fprintln(a.out, "The shared passcode is not set; only named ones are accepted. Set it with: slipway passcode set")
	} else if err := a.printPasscode(shared); err != nil {
		return err
	}
	if len(named) > 0 {
		fmt.Fprintf(a.out, "Named passcodes: %d (slipway passcode list).\n", len(named))
	}
	for _, p := range named {
		if p.Old {
			fmt.Fprintf(a.out, "The passcode %s is older than the reminder age (%s): change it with: slipway passcode add %[1]s\n", printable(p.Name), p.Age)
		}
	}
	return nil
}

func (a *app) printPasscode(s fleet.PasscodeStatus) error {
	if !s.Set {
		_, err := fmt.Fprintln(a.out, "No passcode is set: devices ask for one and accept nothing. Set it with: slipway passcode set")
		return err
	}
	fmt.Fprintf(a.out, "Set %s ago (%s) by %s, about %.0f bits strong.\n", s.Age, s.SetAt.UTC().Format("2006-01-02 15:04 MST"), printable(s.SetBy), s.Bits)
	if s.Forced {
		fmt.Fprintln(a.out, "It is weak and was forced: change it with: slipway passcode set")
	}
	if s.Old {
		fmt.Fprintln(a.out, "It is older than the reminder age: change it with: slipway passcode set")
	}
	if !s.Previous.IsZero() {
		fmt.Fprintf(a.out, "The one before is accepted until %s.\n", stamp(s.Previous))
	}
	return nil
}

// passcodeRows is the table of all passcodes.
func passcodeRows(list []fleet.PasscodeStatus) [][]string {
	rows := [][]string{{"NAME", "STATE", "AGE", "BITS", "EXPIRES", "USES", "REACHES"}}
	for _, p := range list {
		uses := "any"
		if p.MaxUses > 0 {
			uses = fmt.Sprintf("%d of %d", p.Uses, p.MaxUses)
		}
		rows = append(rows, []string{p.Name, stateWords(p), p.Age, fmt.Sprintf("%.0f", p.Bits), stamp(p.ExpiresAt), uses, scopeWords(p.Scope)})
	}
	return rows
}

func stateWords(p fleet.PasscodeStatus) string {
	var words []string
	switch {
	case p.MaxUses > 0 && p.Uses >= p.MaxUses:
		return "used up"
	case p.Expired:
		return "expired"
	}
	if p.Forced {
		words = append(words, "weak")
	}
	if p.Old {
		words = append(words, "old")
	}
	if !p.Previous.IsZero() {
		words = append(words, "the one before until "+stamp(p.Previous))
	}
	if len(words) == 0 {
		return "accepted"
	}
	return "accepted (" + strings.Join(words, ", ") + ")"
}

func scopeWords(s fleet.Scope) string {
	var words []string
	for _, list := range []struct {
		of    string
		items []string
	}{{"sequences", s.Sequences}, {"devices", s.Devices}, {"networks", s.Networks}} {
		if len(list.items) > 0 {
			words = append(words, list.of+" "+strings.Join(list.items, " "))
		}
	}
	if len(words) == 0 {
		return "everything"
	}
	return strings.Join(words, "; ")
}
