package steps

import (
	"context"

	"slipway/agent/wire"
)

// Joins is a DomainJoin, for the tests outside of the package as well.
type Joins struct {
	Asked []wire.DomainJoinRequest
	Err   error
}

// JoinBlob is the blob that it answers.
const JoinBlob = "YmxvYg=="

// Provision implements DomainJoin.
func (j *Joins) Provision(_ context.Context, r wire.DomainJoinRequest) (wire.DomainJoin, error) {
	j.Asked = append(j.Asked, r)
	return wire.DomainJoin{Blob: JoinBlob}, j.Err
}

// Clouds is a Cloud that gives its answers one after the other.
type Clouds struct {
	Asked   []wire.CloudQuery
	Answers []wire.CloudAnswer
	Err     error
}

// Fetch implements Cloud.
func (c *Clouds) Fetch(_ context.Context, q wire.CloudQuery) (wire.CloudAnswer, error) {
	c.Asked = append(c.Asked, q)
	if c.Err != nil || len(c.Answers) == 0 {
		return wire.CloudAnswer{}, c.Err
	}
	a := c.Answers[0]
	c.Answers = c.Answers[1:]
	return a, nil
}
