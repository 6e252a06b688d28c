package facts

import "strings"

// Vendors write their names in many ways; driver packs go by one of them.

// makeAlias normalises a manufacturer: what technicians call it.
func makeAlias(name string) string {
	lower := strings.ToLower(name)
	for _, alias := range []string{"Dell", "Lenovo", "Microsoft", "Panasonic", "Fujitsu", "Acer", "ASUS", "Supermicro", "VMware", "QEMU"} {
		if strings.Contains(lower, strings.ToLower(alias)) {
			return alias
		}
	}
	if strings.HasPrefix(lower, "hp") || strings.Contains(lower, "hewlett") {
		return "HP"
	}
	return name
}

// modelAlias is the part of a model by which its drivers are sorted. Lenovo's model
// is a machine type of four characters with the variant behind it. Supermicro calls
// most of its machines "Super Server": their boards tell them apart.
func modelAlias(alias, model, board string) string {
	switch {
	case alias == "Lenovo" && len(model) > 4:
		return model[:4]
	case alias == "Supermicro" && model == "Super Server" && board != "":
		return board
	}
	return model
}

// systemAlias is the baseboard's product. HP's is four hexadecimal digits, behind
// which older boards have an "h".
func systemAlias(alias, board string) string {
	if alias == "HP" && len(board) == 5 && strings.HasSuffix(board, "h") && isHex(board[:4]) {
		return board[:4]
	}
	return board
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdefABCDEF") == "" }
