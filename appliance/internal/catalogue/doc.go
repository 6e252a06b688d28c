// Package catalogue keeps lists of what can be fetched from elsewhere: driver packs of
// makers, and images of Windows. A list comes from a file that a maker publishes, which
// is read into our own form (Catalogue), or from one that somebody wrote in that form.
// What a device needs of them is fetched once into the library of content (package
// content) and served from there.
//
// The lists are files of a folder, one each, that are made anew by importing again.
package catalogue
