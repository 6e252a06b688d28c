// Package tasksequence is the language that the appliance and its agents share:
// sequences, groups, steps, conditions and variables, the catalogue of step
// definitions, validation, and the pure interpreter that says what runs next.
//
// It is not an engine: it starts no command, reads no clock, opens no file and
// talks to nobody. The agent carries out what the interpreter says; the
// appliance records what the agent reports; the validator and the console's dry
// run ask the same interpreter. Standard library only, nothing of ours imported.
//
// # Glossary
//
//   - Sequence: one version of a task sequence: an ordered list of nodes.
//   - Node: a step or a group. A group has members ("steps"), a step has a
//     definition and settings.
//   - Definition: a versioned document that describes a kind of step: its
//     options, where it runs, what follows an interruption, who executes it.
//   - Option: one named input that a definition offers. Setting: the value that a
//     step gives to an option.
//   - Condition: a tree of and, or, not over comparisons of variables.
//   - Variable: a name (case does not matter) with a text or a list of texts. A
//     name that begins with "_" is read-only for steps. A secret one is masked
//     wherever it is shown.
//   - Private value: a value that only the running step sees: its own settings.
//   - Path: where a node stands in a document, unique: ids joined by "/", and by
//     ">" where Run task sequence enters a child ("install/base>disk/format").
//   - Document: a sequence with all that it refers to (child sequences,
//     definitions), pinned, so that nothing changes under a deployment.
//   - Result: the recorded outcome of a step. A step with a final result never
//     runs again; one recorded as running was interrupted.
//   - Call: a Run task sequence step, seen as the group of its child's nodes.
package tasksequence
