package runner

import "slipway/agent/internal/steps"

// localExec runs programs of this machine.
var localExec = steps.WindowsExec{}
