package powershell

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// writer writes one function of PowerShell.
type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) {
	if format == "" {
		w.WriteByte('\n')
		return
	}
	fmt.Fprintf(w, format+"\n", args...)
}

func (w *writer) function(c cmdlet, op operation, path, query, body []input, list string) {
	w.line("# Generated from the API; see appliance/powershell.")
	w.line("function %s {", c.name)
	w.line("    <#")
	w.line("    .SYNOPSIS")
	w.line("    %s", op.Summary)
	w.line("")
	w.line("    .DESCRIPTION")
	if c.text != "" {
		w.line("    %s", c.text)
	}
	w.line("    Calls %s /api/v1%s and needs an API token of the role %s.", c.method, c.path, op.Role)
	all := slices.Concat(path, body, query)
	if c.file {
		all = append(all, input{name: "LiteralPath", kind: "string", mandatory: true})
	}
	if c.export {
		all = append(all, input{name: "OutFile", kind: "string"})
	}
	for _, in := range all {
		w.line("")
		w.line("    .PARAMETER %s", in.name)
		text := help[in.name]
		if text == "" {
			text = "Member " + in.member + " of the request."
		}
		w.line("    %s", text)
	}
	w.line("")
	w.line("    .EXAMPLE")
	w.line("    %s", strings.TrimSpace(c.name+" "+c.example))
	w.line("    #>")
	changes := c.method != "GET"
	if changes {
		w.line("    [CmdletBinding(SupportsShouldProcess)]")
	} else {
		w.line("    [CmdletBinding()]")
	}
	w.parameters(all)
	w.line("    $path = %s", pathOf(c.path, path))
	w.line("    $query = @{}")
	for _, in := range query {
		w.line("    if ($PSBoundParameters.ContainsKey('%s')) { $query['%s'] = $%s }", in.name, in.member, in.name)
	}
	arguments := "-Method '" + c.method + "' -Path $path -Query $query"
	switch {
	case c.file && c.bytes:
		w.line("    $bytes = [System.IO.File]::ReadAllBytes((Resolve-Path -LiteralPath $LiteralPath -ErrorAction Stop).ProviderPath)")
		arguments += " -Bytes $bytes"
	case c.file:
		w.line("    $text = Get-Content -LiteralPath $LiteralPath -Raw -Encoding UTF8 -ErrorAction Stop")
		arguments += " -Text $text"
	case op.Body != nil:
		w.line("    $body = @{}")
		for _, name := range slices.Sorted(maps.Keys(c.fixed)) {
			w.line("    $body['%s'] = '%s'", name, c.fixed[name])
		}
		for _, in := range body {
			w.line("    if ($PSBoundParameters.ContainsKey('%s')) { $body['%s'] = %s }", in.name, in.member, valueOf(in))
		}
		arguments += " -Body $body"
	}
	if list != "" {
		arguments += " -Member '" + list + "'"
	}
	if c.export {
		arguments += " -OutFile $OutFile"
	}
	if changes {
		w.line("    if ($PSCmdlet.ShouldProcess($path, '%s')) {", c.method)
		w.line("        Invoke-SlipwayCall %s", arguments)
		w.line("    }")
	} else {
		w.line("    Invoke-SlipwayCall %s", arguments)
	}
	w.line("}")
}

func (w *writer) parameters(all []input) {
	if len(all) == 0 {
		w.line("    param()")
		return
	}
	w.line("    param(")
	for i, in := range all {
		attribute := "[Parameter()]"
		if in.mandatory {
			attribute = "[Parameter(Mandatory)]"
			if in.kind == "string" && in.name == "Sequence" || in.name == "Way" {
				attribute += "[AllowEmptyString()]"
			}
		}
		comma := ","
		if i == len(all)-1 {
			comma = ""
		}
		w.line("        %s[%s]$%s%s", attribute, in.kind, in.name, comma)
	}
	w.line("    )")
}

// valueOf is what a parameter becomes in the body: a switch is a boolean, and a list of
// one stays a list.
func valueOf(in input) string {
	switch in.kind {
	case "switch":
		return "[bool]$" + in.name
	case "string[]", "object[]":
		return "@($" + in.name + ")"
	}
	return "$" + in.name
}

// pathOf is an expression for the path of a call, its parameters escaped.
func pathOf(path string, inputs []input) string {
	if len(inputs) == 0 {
		return "'" + path + "'"
	}
	var values []string
	for i, in := range inputs {
		path = strings.Replace(path, "{"+in.member+"}", fmt.Sprintf("{%d}", i), 1)
		values = append(values, "[uri]::EscapeDataString($"+in.name+")")
	}
	return "'" + path + "' -f " + strings.Join(values, ", ")
}
