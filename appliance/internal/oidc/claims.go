package oidc

import "strings"

// Bounds of what is taken of a token.
const (
	maxName  = 100 // characters
	maxRoles = 500 // Entra ID gives 200 groups at most
	maxRole  = 200 // characters
	maxDepth = 8   // of a dotted claim name
)

// nameOf is what the person is called.
func nameOf(claims map[string]any) string {
	for _, key := range []string{"preferred_username", "email", "name", "sub"} {
		if text, ok := claims[key].(string); ok {
			if name := clean(text, maxName); name != "" {
				return name
			}
		}
	}
	return ""
}

// rolesOf reads a claim that holds a role or a list of them. A name that is no
// claim itself may be the path to one: realm_access.roles.
func rolesOf(claims map[string]any, name string) []string {
	if name == "" {
		name = "roles"
	}
	switch v := lookUp(claims, name).(type) {
	case string:
		return appendRole(nil, v)
	case []any:
		var roles []string
		for _, e := range v {
			if text, ok := e.(string); ok && len(roles) < maxRoles {
				roles = appendRole(roles, text)
			}
		}
		return roles
	}
	return nil
}

func lookUp(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	parts := strings.SplitN(name, ".", maxDepth)
	for _, part := range parts[:len(parts)-1] {
		claims, _ = claims[part].(map[string]any)
	}
	return claims[parts[len(parts)-1]]
}

// appendRole leaves out what could be mistaken for another role once it is cleaned.
func appendRole(roles []string, role string) []string {
	if role == "" || clean(role, maxRole) != role {
		return roles
	}
	return append(roles, role)
}
