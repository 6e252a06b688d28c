package content

import (
	"context"
	"net/url"
)

func parseURL(text string) (*url.URL, error) { return url.Parse(text) }

func (k *intake) fromURL(context.Context) error { return ErrNotFound }
