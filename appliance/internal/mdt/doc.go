// Package mdt reads a deployment share of the Microsoft Deployment Toolkit and plans
// what of it Slipway can carry over: content items, task sequences and the rules of
// CustomSettings.ini as a task sequence of its own. It only reads the share; carrying
// the plan out is the command's work.
//
// Nothing is dropped in silence: every file that is read is kept as a tree (XML) or by
// lines (ini), what was understood is marked in it, and the report is written from the
// trees, so that what nobody marked is reported as left behind.
//
// The format is that of public shares and Microsoft's "Toolkit Reference for the
// Microsoft Deployment Toolkit".
package mdt
