package api

// backupRoutes are backup and the rotation of the data key.
func (a *API) backupRoutes() []route { return nil }
