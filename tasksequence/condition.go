package tasksequence
// Condition is a tree of and / or / not over comparisons of variables.
type Condition struct{}
