package dhcpoptions

import (
	"fmt"
	"net/netip"
	"strings"

	"slipway/netboot"
)

// windows is a PowerShell script of server-wide policies. It can be run again.
func windows(v Values) string {
	var t text
	t.line("# Slipway at %s. Run this on the Windows DHCP server, as an administrator.", v.Address)
	t.line("# It makes policies for the whole server; what it made before is replaced.")
	t.line("$ErrorActionPreference = 'Stop'")
	t.line("Import-Module DhcpServer")
	t.line("")
	t.line("Get-DhcpServerv4Policy | Where-Object Name -Like 'Slipway *' | Remove-DhcpServerv4Policy")
	t.line("Get-DhcpServerv4OptionDefinition -VendorClass 'Slipway agent' -ErrorAction SilentlyContinue | Remove-DhcpServerv4OptionDefinition")
	t.line("Get-DhcpServerv4Class | Where-Object Name -Like 'Slipway *' | Remove-DhcpServerv4Class")
	t.line("if (-not (Get-DhcpServerv4OptionDefinition -OptionId 60 -ErrorAction SilentlyContinue)) {")
	t.line("  Add-DhcpServerv4OptionDefinition -Name 'Vendor class' -OptionId 60 -Type String")
	t.line("}")
	t.line("Add-DhcpServerv4Class -Name 'Slipway iPXE' -Type User -Data 'iPXE'")
	t.line("")
	t.line("function Add-SlipwayPolicy($Name, $Order, $Condition, $File) {")
	t.line("  Add-DhcpServerv4Policy -Name $Name -ProcessingOrder $Order @Condition")
	t.line("  Set-DhcpServerv4OptionValue -PolicyName $Name -OptionId 66 -Value '%s'", v.Address)
	t.line("  Set-DhcpServerv4OptionValue -PolicyName $Name -OptionId 67 -Value $File")
	t.line("}")
	order := 1
	for _, c := range v.choices() {
		t.line("\n# %s", c.Text)
		// A policy for each number: they are tried in their order, iPXE's first.
		for i, n := range c.Archs {
			name := fmt.Sprintf("Slipway %s %d", c.Name, i+1)
			t.line("Add-DhcpServerv4Class -Name '%s' -Type Vendor -Data '%s'", name, c.ClassText(n))
			if !c.HTTP {
				t.line("Add-SlipwayPolicy '%s iPXE' %d @{ Condition = 'AND'; VendorClass = @('EQ', '%s*'); UserClass = @('EQ', 'Slipway iPXE') } '%s'", name, order, name, c.Script)
				order++
			}
			t.line("Add-SlipwayPolicy '%s' %d @{ Condition = 'OR'; VendorClass = @('EQ', '%s*') } '%s'", name, order, name, c.Loader)
			order++
			if c.HTTP {
				t.line("Set-DhcpServerv4OptionValue -PolicyName '%s' -OptionId 60 -Value 'HTTPClient'", name)
			}
		}
	}
	api := netip.AddrPortFrom(v.Address, v.APIPort).String()
	var value []string
	for _, b := range []byte(api) {
		value = append(value, fmt.Sprintf("'0x%02x'", b))
	}
	t.line("\n# Slipway's agent learns where the appliance is: %s, as bytes, because texts get a zero byte at their end.", api)
	t.line("Add-DhcpServerv4Class -Name 'Slipway agent' -Type Vendor -Data '%s'", netboot.ClassAgent)
	t.line("Add-DhcpServerv4OptionDefinition -Name 'Slipway address' -OptionId 1 -Type BinaryData -VendorClass 'Slipway agent'")
	t.line("Add-DhcpServerv4Policy -Name 'Slipway agent' -ProcessingOrder %d -Condition OR -VendorClass EQ,'Slipway agent'", order)
	t.line("Set-DhcpServerv4OptionValue -PolicyName 'Slipway agent' -OptionId 60 -Value '%s'", netboot.ClassAgent)
	t.line("Set-DhcpServerv4OptionValue -PolicyName 'Slipway agent' -VendorClass 'Slipway agent' -OptionId 1 -Value %s", strings.Join(value, ", "))
	return t.String()
}
