package content

import "context"

type deviceUploads struct{ dir string }

func (k *intake) fromUploads(context.Context) error { return ErrNotFound }
