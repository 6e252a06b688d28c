package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"slipway/agent/wire"
)

// schemas collects the named types of the document while it is written.
type schemas map[string]any

var (
	pathParameter = regexp.MustCompile(`\{([a-zA-Z]+)\}`)
	pathRest      = regexp.MustCompile(`\{([a-zA-Z]+)\.\.\.\}$`) // the rest of the path, slashes included
)

// document writes the OpenAPI 3 description of the route table, so that it can
// say nothing else than what the router does.
func document(routes []route, version string) []byte {
	defs := schemas{}
	paths := map[string]map[string]any{}
	for _, r := range routes {
		r.Path = pathRest.ReplaceAllString(r.Path, "{$1}")
		if paths[r.Path] == nil {
			paths[r.Path] = map[string]any{}
		}
		paths[r.Path][strings.ToLower(r.Method)] = defs.operation(r)
	}
	doc := map[string]any{
		"openapi": "3.0.3",
		"info": map[string]any{"title": "Slipway", "version": version,
			"description": "The calls of devices and administrators. Errors are RFC 9457 problem documents."},
		"paths": paths,
		"components": map[string]any{
			"schemas":         defs,
			"securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer"}},
		},
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("api: the OpenAPI document is made of plain values: " + err.Error())
	}
	return out
}

func (s schemas) operation(r route) map[string]any {
	responses := map[string]any{strconv.Itoa(r.success()): s.response(r.Out)}
	problem := map[string]any{"description": "Problem document",
		"content": map[string]any{"application/problem+json": map[string]any{"schema": s.of(reflect.TypeOf(wire.Problem{}))}}}
	responses["default"] = problem
	op := map[string]any{"summary": r.Summary, "responses": responses}
	if r.Access != Public {
		op["security"] = []any{map[string]any{"bearer": []string{}}}
		responses[strconv.Itoa(http.StatusUnauthorized)] = problem
	}
	if role := r.Access.role(); role != "" {
		op["x-slipway-role"] = string(role)
	}
	if r.In != nil {
		op["requestBody"] = map[string]any{"required": true,
			"content": map[string]any{"application/json": map[string]any{"schema": s.of(reflect.TypeOf(r.In))}}}
	}
	if params := parameters(r); len(params) > 0 {
		op["parameters"] = params
	}
	return op
}

func (s schemas) response(out any) map[string]any {
	switch out.(type) {
	case nil:
		return map[string]any{"description": "Done"}
	case raw, written:
		return map[string]any{"description": "The document"}
	}
	return map[string]any{"description": "The answer",
		"content": map[string]any{"application/json": map[string]any{"schema": s.of(reflect.TypeOf(out))}}}
}

func parameters(r route) []any {
	var params []any
	text := map[string]any{"type": "string"}
	for _, m := range pathParameter.FindAllStringSubmatch(r.Path, -1) {
		params = append(params, map[string]any{"name": m[1], "in": "path", "required": true, "schema": text})
	}
	for _, q := range r.Query {
		params = append(params, map[string]any{"name": q, "in": "query", "schema": text})
	}
	return params
}

var (
	timeType = reflect.TypeOf(time.Time{})
	rawType  = reflect.TypeOf(json.RawMessage{})
)

// of returns the schema of a type; named structs become components.
func (s schemas) of(t reflect.Type) map[string]any {
	switch {
	case t == timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case t == rawType:
		return map[string]any{"description": "any JSON value"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.Float64, reflect.Float32:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"type": "string", "format": "byte"}
		}
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.structure(t)
	}
	return map[string]any{}
}

func (s schemas) structure(t reflect.Type) map[string]any {
	name := componentName(t)
	ref := map[string]any{"$ref": "#/components/schemas/" + name}
	if _, ok := s[name]; ok {
		return ref
	}
	s[name] = map[string]any{} // ends recursion
	properties := map[string]any{}
	required := s.fields(t, properties)
	schema := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		sort.Strings(required)
		schema["required"] = required
	}
	s[name] = schema
	return ref
}

// fields adds the members that a struct has in JSON, those of embedded structs
// included, and returns the required ones.
func (s schemas) fields(t reflect.Type, properties map[string]any) (required []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct:
			required = append(required, s.fields(f.Type, properties)...)
			continue
		case !f.IsExported() || tag == "-" || tag == "":
			continue
		}
		properties[tag] = s.of(f.Type)
		if !strings.Contains(options, "omit") {
			required = append(required, tag)
		}
	}
	return required
}

// componentName tells wire.Device from fleet.Device.
func componentName(t reflect.Type) string {
	pkg := t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]
	if pkg == "api" {
		return strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + t.Name()
}
