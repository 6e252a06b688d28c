// Package images holds what goes into boot images: recipes, module lists, the
// list of network adapters the Linux image must know, and the loaders' recipe.
// It is embedded into the slipway program; built output is never kept here.
package images

import (
	"embed"
	"io/fs"
)

//go:embed linux loaders media nics.tsv
var files embed.FS

// FS returns the embedded files: linux/recipe.json, linux/modules/*.list,
// linux/applets.list, loaders/recipe.json, media/recipe.json and nics.tsv.
func FS() fs.FS { return files }
