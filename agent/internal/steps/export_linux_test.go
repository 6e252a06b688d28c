package steps

// StepOf is step, for the tests outside of the package.
var StepOf = step
