// Package screen is the device's face: full-screen pages drawn on every active
// console at once (the video console and serial lines), any of which may type.
//
// A Page draws itself onto a Canvas of cells; a renderer per terminal turns the
// difference to the last frame into bytes that a VT100 and the Linux console
// understand: light lines, sixteen colours, no cursor tricks. A changed line is
// always written whole, so that its words stand together in a serial log.
package screen
