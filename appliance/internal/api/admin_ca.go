package api

// caRoutes are the certificate authority and its rotation.
func (a *API) caRoutes() []route { return nil }
