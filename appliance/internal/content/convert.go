package content

import (
	"context"
)

// conversion takes in a converted form of a file and says whether the file itself is
// kept beside it.
type conversion func(ctx context.Context, f source) (keep bool, err error)

// converter returns what converts a file, nil for one that stays as it is.
func (k *intake) converter(source) (conversion, error) { return nil, nil }
