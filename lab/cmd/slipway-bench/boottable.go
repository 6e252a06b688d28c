package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"slipway/lab"
)

// bootTable prints the round with the median prompt of each row, milestone by
// milestone, and the ratio to the peer.
func bootTable(out io.Writer, list []row, results map[string][]lab.Milestones) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "boot\tDISCOVER\tloader\tscript\tkernel\tinitrd\tloaded\tagent\tprompt\tof the peer\treach\t")
	for _, r := range list {
		m := middle(results[r.name])
		for i, t := range []time.Duration{m.Discover, m.Loader, m.Script, m.Kernel, m.Initrd, m.Loaded, m.Agent, m.Prompt} {
			if i == 0 {
				fmt.Fprintf(w, "%s\t", r.name)
			}
			fmt.Fprintf(w, "%s\t", seconds(t))
		}
		fmt.Fprintf(w, "%s\t\n", verdict(r, m.Prompt, middle(results[r.peer]).Prompt))
	}
	return w.Flush()
}

// middle is the boot whose prompt came at the median time; zero when there is none.
func middle(list []lab.Milestones) lab.Milestones {
	if len(list) == 0 {
		return lab.Milestones{}
	}
	list = slices.SortedFunc(slices.Values(list), func(a, b lab.Milestones) int { return int(a.Prompt - b.Prompt) })
	return list[len(list)/2]
}

// verdict is the ratio to the peer and how it stands to what is to be reached.
func verdict(r row, own, peer time.Duration) string {
	if r.peer == "" || peer == 0 {
		return "\t"
	}
	ratio := own.Seconds() / peer.Seconds()
	if r.reach == 0 {
		return fmt.Sprintf("%.2f\t", ratio)
	}
	word := "reached"
	if ratio > r.reach {
		word = "MISSED"
	}
	return fmt.Sprintf("%.2f\t%.2f %s", ratio, r.reach, word)
}

func seconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}
