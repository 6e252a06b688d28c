package api

import (
	"reflect"
	"testing"
)

// TestEmbeddedMembersStandInTheDocument: an item is described with all that JSON has of it.
func TestEmbeddedMembersStandInTheDocument(t *testing.T) {
	defs := schemas{}
	defs.of(reflect.TypeOf(ContentItem{}))
	item, ok := defs["ContentItem"].(map[string]any)
	if !ok {
		t.Fatalf("%v", defs)
	}
	properties, ok := item["properties"].(map[string]any)
	for _, name := range []string{"id", "name", "purpose", "versions"} {
		if _, there := properties[name]; !ok || !there {
			t.Errorf("an item has no %s in the document: %v", name, properties)
		}
	}
}
