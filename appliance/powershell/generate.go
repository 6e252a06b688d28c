package powershell

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The parts of the OpenAPI document that cmdlets are made of.
type document struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	Summary    string      `json:"summary"`
	Role       string      `json:"x-slipway-role"`
	Parameters []parameter `json:"parameters"`
	Body       *struct {
		Content map[string]struct {
			Schema schema `json:"schema"`
		} `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]struct {
			Schema schema `json:"schema"`
		} `json:"content"`
	} `json:"responses"`
}

type parameter struct {
	Name string `json:"name"`
	In   string `json:"in"`
}

type schema struct {
	Ref        string            `json:"$ref"`
	Type       string            `json:"type"`
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
	Required   []string          `json:"required"`
}

func (d document) resolve(s schema) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

// Generate returns the generated files of the module by their names in its folder. It
// fails when the API has not what a cmdlet needs.
func Generate(openapi []byte) (map[string][]byte, error) {
	var d document
	if err := json.Unmarshal(openapi, &d); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	files := map[string][]byte{}
	names := []string{"Connect-Slipway", "Disconnect-Slipway", "Send-SlipwayFile"}
	for _, c := range cmdlets() {
		text, err := d.write(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		files["Cmdlets/"+c.name+".ps1"] = []byte(text)
		names = append(names, c.name)
	}
	slices.Sort(names)
	files["Slipway.psd1"] = []byte(manifest(names))
	return files, nil
}

// input is a parameter of a cmdlet.
type input struct {
	name      string // of the parameter
	member    string // in path, query or body
	kind      string // PowerShell's type
	mandatory bool
}

func (d document) write(c cmdlet) (string, error) {
	op, ok := d.Paths["/api/v1"+c.path][strings.ToLower(c.method)]
	if !ok {
		return "", fmt.Errorf("the API has no %s %s", c.method, c.path)
	}
	var path, query, body []input
	for _, p := range op.Parameters {
		in := input{name: title(p.Name), member: p.Name, kind: "string", mandatory: p.In == "path"}
		if p.In == "path" {
			path = append(path, in)
		} else {
			query = append(query, in)
		}
	}
	if op.Body != nil && !c.file {
		var err error
		if body, err = d.members(c, op); err != nil {
			return "", err
		}
	}
	if op.Body == nil && (c.file || len(c.fixed) > 0) {
		return "", errors.New("the call takes no body")
	}
	w := &writer{}
	w.function(c, op, path, query, body, d.list(op))
	return w.String(), nil
}

// members are the parameters for the members of the body.
func (d document) members(c cmdlet, op operation) (list []input, err error) {
	s := d.resolve(op.Body.Content["application/json"].Schema)
	if len(s.Properties) == 0 {
		return nil, errors.New("the body has no members")
	}
	for _, name := range c.only {
		if _, ok := s.Properties[name]; !ok {
			return nil, fmt.Errorf("the body has no member %s", name)
		}
	}
	for name := range c.fixed {
		if _, ok := s.Properties[name]; !ok {
			return nil, fmt.Errorf("the body has no member %s", name)
		}
	}
	for name, p := range s.Properties {
		if _, fixed := c.fixed[name]; fixed || c.only != nil && !slices.Contains(c.only, name) {
			continue
		}
		list = append(list, input{name: title(name), member: name, kind: d.kind(p), mandatory: slices.Contains(s.Required, name)})
	}
	slices.SortFunc(list, func(a, b input) int {
		if a.mandatory != b.mandatory {
			if a.mandatory {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return list, nil
}

func (d document) kind(s schema) string {
	switch s = d.resolve(s); s.Type {
	case "string":
		return "string"
	case "boolean":
		return "switch"
	case "integer":
		return "long"
	case "array":
		if s.Items != nil && d.resolve(*s.Items).Type == "string" {
			return "string[]"
		}
		return "object[]"
	case "object":
		return "hashtable"
	}
	return "object"
}

// list is the one member of an answer that is a list of things, or "".
func (d document) list(op operation) string {
	for status, r := range op.Responses {
		if !strings.HasPrefix(status, "2") {
			continue
		}
		s := d.resolve(r.Content["application/json"].Schema)
		for name, p := range s.Properties {
			if len(s.Properties) == 1 && p.Type == "array" {
				return name
			}
		}
	}
	return ""
}

func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func manifest(names []string) string {
	var list strings.Builder
	for i, name := range names {
		if i > 0 {
			list.WriteString(",\n")
		}
		list.WriteString("        '" + name + "'")
	}
	return `# Generated from the API; see appliance/powershell.
@{
    RootModule        = 'Slipway.psm1'
    ModuleVersion     = '0.1.0'
    GUID              = '6f0d8c3e-52a1-4b6e-9f43-0c5b7a9d1e28'
    Author            = 'The Slipway authors'
    Description       = 'Task sequences, content, boot images, devices and deployments of a Slipway appliance.'
    PowerShellVersion = '5.1'
    FunctionsToExport = @(
` + list.String() + `
    )
    CmdletsToExport   = @()
    VariablesToExport = @()
    AliasesToExport   = @()
}
`
}
