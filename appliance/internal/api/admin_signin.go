package api

// signInSettingsRoutes are the settings of the sign-in mechanisms.
func (a *API) signInSettingsRoutes() []route { return nil }
