// Package unattend writes answer files for Windows (unattend.xml): typed settings are
// checked and merged into a new file or into a given one, of which nothing is lost:
// comments, components that are not known here, attributes, prefixes of namespaces,
// the order and the white space of everything that is not changed stay as they are.
//
// It is pure: it opens no file and starts nothing. The agent writes the file where
// Windows looks for it, the appliance shows it before.
//
// # Glossary
//
//   - Pass: the stage of Windows Setup that reads a setting ("specialize").
//   - Component: the part of Windows a setting belongs to, for one architecture.
//   - Entry: an element of a list, marked wcm:action="add", with a key: its Order, or
//     a name.
//
// Names, passes and lengths follow Microsoft's "Unattended Windows Setup Reference".
package unattend
