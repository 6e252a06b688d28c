package api

// passcodeRoutes are the passcodes beyond the classic one.
func (a *API) passcodeRoutes() []route { return nil }
