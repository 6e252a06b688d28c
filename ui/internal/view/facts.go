package view

import (
	"slices"
	"strings"
)

// FactGroup is a heading with the facts below it, by name.
type FactGroup struct {
	Label string
	Names []string
}

// factGroups sorts what a device reported under headings; what no heading knows
// stands under the last one, so that nothing that was gathered is left out.
func factGroups(facts map[string]string) []FactGroup {
	groups := []FactGroup{{Label: "Computer"}, {Label: "Processor and memory"}, {Label: "Disks"}, {Label: "Network"}, {Label: "Firmware and security"}, {Label: "Other"}}
	for _, name := range factNames(facts) {
		i := factGroup(name)
		groups[i].Names = append(groups[i].Names, name)
	}
	return slices.DeleteFunc(groups, func(g FactGroup) bool { return len(g.Names) == 0 })
}

// factGroup is the index of the heading for a fact.
func factGroup(name string) int {
	beginnings := [][]string{
		{"make", "model", "manufacturer", "product", "system", "serial", "uuid", "asset", "chassis", "base", "isdesktop", "islaptop", "isserver", "istablet", "isvm", "isonbattery"},
		{"processor", "cpu", "memory", "architecture"},
		{"disk"},
		{"network", "mac", "ip", "gateway", "dns", "hostname"},
		{"bios", "firmware", "secureboot", "tpm", "isuefi"},
	}
	name = strings.ToLower(name)
	for i, list := range beginnings {
		if slices.ContainsFunc(list, func(b string) bool { return strings.HasPrefix(name, b) }) {
			return i
		}
	}
	return len(beginnings)
}
