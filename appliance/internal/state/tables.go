package state

import (
	"slices"
	"strings"
)

// allTables lists every table, sorted by name. Each has its own file.
func allTables() []*schema {
	tables := []*schema{
		&accountsKind.schema, &contentItemsKind.schema, &contentPinsKind.schema, &contentVersionsKind.schema,
		&definitionsKind.schema, &deploymentsKind.schema, &devicesKind.schema, &documentsKind.schema, &graphKind.schema,
		&imagesKind.schema, &installationKind.schema, &keysKind.schema, &leasesKind.schema, &mediaKind.schema, &passcodesKind.schema,
		&resultsKind.schema, &sequencesKind.schema, &sessionsKind.schema, &settingsKind.schema,
		&signInKind.schema, &tokensKind.schema, &waitsKind.schema,
	}
	slices.SortFunc(tables, func(a, b *schema) int { return strings.Compare(a.name, b.name) })
	return tables
}

// Self is the key of tables that hold a single record.
const Self = "self"
