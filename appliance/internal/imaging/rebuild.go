package imaging

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway/appliance/internal/state"
	"slipway/bootimages"
	"slipway/fleet"
)

// Rebuild starts a build of every served image whose CA set is not the present
// one, with the same settings as before, and returns the ids of the builds. The
// folders that an image came from are not recorded: o names them again (Packages,
// Firmware, Overlay, AllowSecrets, Agent). An image that cannot be built without one is
// left, with what to do about it in a sentence.
func (s *Service) Rebuild(ctx context.Context, by Actor, o bootimages.Options) (builds, left []string, err error) {
	images, err := s.List()
	if err != nil {
		return nil, nil, err
	}
	now, err := bootimages.Fingerprints(s.caPEM())
	if err != nil {
		return nil, nil, err
	}
	for _, i := range images {
		if !i.Served || slices.Equal(i.CASet, now) {
			continue
		}
		again := settingsOf(i)
		again.Packages, again.Firmware, again.Overlay, again.AllowSecrets, again.Agent = o.Packages, o.Firmware, o.Overlay, o.AllowSecrets, o.Agent
		id, why := "", missingFolder(i, o)
		if why == "" {
			var err error
			if id, err = s.Build(ctx, by, i.Kind, again); err != nil {
				why = err.Error()
			}
		}
		if why != "" {
			left = append(left, fmt.Sprintf("the %s %s image %s was not built again: %s", i.Kind, i.Architecture, i.ID, why))
			continue
		}
		builds = append(builds, id)
	}
	return builds, left, nil
}

// settingsOf reads the settings an image was built with from its inputs.
func settingsOf(i fleet.BootImage) bootimages.Options {
	o := bootimages.Options{Architecture: i.Architecture, Lab: i.Lab}
	for _, line := range i.Inputs {
		word, value, _ := strings.Cut(line, " ")
		switch word {
		case "profile":
			o.Profile = value
		case "keyboard":
			o.Keyboard = value
		case "lab":
			o.Lab, _ = strconv.ParseBool(value) // written by us
		case "server":
			o.Servers = append(o.Servers, value)
		}
	}
	return o
}

// missingFolder says which folder an image needs that o does not name.
func missingFolder(i fleet.BootImage, o bootimages.Options) string {
	has := func(word string) bool {
		return slices.ContainsFunc(i.Inputs, func(line string) bool { return strings.HasPrefix(line, word+" ") })
	}
	switch {
	case i.Kind == bootimages.KindWinPE:
		return "its source is not kept; name it: slipway image build winpe --source FILE, with the options it had"
	case o.Overlay == "" && has("overlay"):
		return "it holds files of an overlay folder; name it: --overlay DIR"
	case o.Firmware == "" && has("firmware"):
		return "it holds files of a firmware folder; name it: --firmware DIR"
	}
	return ""
}

// trusts refuses an image that does not trust the CA that signs now: whatever
// boots it could not connect. Within the transaction that serves it, so that no
// changeover comes between.
func trusts(tx *state.Tx, image fleet.BootImage) error {
	i, err := tx.Installation().Get(state.Self)
	if err != nil || len(i.Authorities) == 0 {
		return nil // only in tests is there none
	}
	signer := bootimages.Fingerprint(i.Authorities[0].Certificate)
	if !slices.Contains(image.CASet, signer) {
		return fmt.Errorf("%w: image %s", ErrAuthority, image.ID)
	}
	return nil
}
