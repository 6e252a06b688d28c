package steps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"slipway/agent/wire"
	"slipway/tasksequence/unattend"
)

// DomainJoin makes a computer's account in a domain.
type DomainJoin interface {
	// Provision has the account made and answers the blob, a secret.
	Provision(ctx context.Context, r wire.DomainJoinRequest) (wire.DomainJoin, error)
}

// blobVariable is the variable that holds a blob which somebody made beforehand.
const blobVariable = "DomainJoinBlob"

// joinAnswers has Windows Setup join the domain: the blob stands in the component
// Microsoft-Windows-UnattendedJoin of the specialize pass.
func joinAnswers(s *Step, blob string) unattend.Settings {
	return unattend.Settings{Architecture: unattend.FromVariables(s.Vars.Run()).Architecture, Domain: &unattend.Domain{Blob: unattend.NewSecret(blob)}}
}

// joinBlob is the blob that was given, or the one that the appliance has made.
func joinBlob(ctx context.Context, s *Step) (string, error) {
	if blob := strings.Join(strings.Fields(s.Vars.Run().Text(blobVariable)), ""); blob != "" {
		s.Log("info", "the domain join that the variable "+blobVariable+" holds is taken")
		return blob, nil
	}
	v := unattend.FromVariables(s.Vars.Run())
	name := strings.TrimSpace(cmp.Or(s.Settings.Text("ComputerName"), v.ComputerName))
	if name == "" || name == "*" {
		return "", errors.New("there is no name for the computer: set the variable ComputerName, or the step's option")
	}
	if s.Machine.DomainJoin == nil {
		return "", errors.New("this agent cannot ask the appliance for a domain join")
	}
	ou := cmp.Or(s.Settings.Text("OU"), s.Vars.Run().Text("MachineObjectOU"), s.Vars.Run().Text("OU"))
	made, err := s.Machine.DomainJoin.Provision(ctx, wire.DomainJoinRequest{ComputerName: name, OU: ou})
	if err != nil {
		return "", fmt.Errorf("have an account made for %s: %w", name, err)
	}
	if made.Blob == "" {
		return "", errors.New("the appliance answered no domain join")
	}
	s.Log("info", "the domain has an account for "+name)
	return made.Blob, nil
}
