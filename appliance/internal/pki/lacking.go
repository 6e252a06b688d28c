package pki

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/appliance/internal/state"
	"slipway/fleet"
)

// deploymentIdle is how long after a device was last seen its unfinished
// deployment still holds a changeover up.
const deploymentIdle = 24 * time.Hour

// lacks is what does not trust a CA: images, devices that were last served one of
// them, and media that were made of them.
type lacks struct{ images, devices, media []fleet.AuthorityLack }

// lacking finds what does not trust the CA with this certificate.
func lacking(tx *state.Tx, certificate []byte) (l lacks) {
	want := fingerprint(certificate)
	without := map[string]bool{}
	for i := range tx.Images().All() {
		if slices.Contains(i.CASet, want) {
			continue
		}
		without[i.ID] = true
		l.images = append(l.images, fleet.AuthorityLack{Image: i.ID, Kind: i.Kind, Architecture: i.Architecture, Served: i.Served, At: i.BuiltAt})
	}
	for m := range tx.Media().All() {
		if !slices.Contains(m.CASet, want) {
			l.media = append(l.media, fleet.AuthorityLack{Image: m.Image, Medium: m.ID, Kind: m.Kind, Name: m.MadeBy, At: m.MadeAt})
		}
	}
	if len(without) == 0 {
		return l
	}
	for d := range tx.Devices().All() {
		if without[d.ImageID] {
			l.devices = append(l.devices, fleet.AuthorityLack{Image: d.ImageID, Device: d.ID, Name: d.Name, Architecture: d.Architecture,
				Deployment: d.Deployment, At: d.LastSeen})
		}
	}
	return l
}

// blockers says whom a changeover would lock out now: every device that boots a
// served image, and those at work.
func (l lacks) blockers(now time.Time) []string {
	var out []string
	for _, i := range l.images {
		if i.Served {
			out = append(out, fmt.Sprintf("the served %s image %s does not have the new authority", strings.TrimSpace(i.Kind+" "+i.Architecture), short(i.Image)))
		}
	}
	for _, d := range l.devices {
		if d.Deployment != "" && now.Sub(d.At) < deploymentIdle {
			out = append(out, fmt.Sprintf("device %s has a deployment under way on image %s without the new authority", label(d), short(d.Image)))
		}
	}
	return out
}

func label(d fleet.AuthorityLack) string {
	if d.Name != "" {
		return d.Name
	}
	return d.Device
}

// info is what may be shown of the authorities, with their states.
func info(i fleet.Installation) ([]fleet.AuthorityInfo, error) {
	waiting := pending(i)
	var out []fleet.AuthorityInfo
	for n, a := range i.Authorities {
		cert, err := x509.ParseCertificate(a.Certificate)
		if err != nil {
			return nil, fmt.Errorf("pki: read CA certificate: %w", err)
		}
		x := fleet.AuthorityInfo{Fingerprint: fingerprint(a.Certificate), Name: cert.Subject.CommonName, State: fleet.AuthorityOld,
			CreatedAt: a.CreatedAt, ExpiresAt: cert.NotAfter}
		switch {
		case n == 0:
			x.State = fleet.AuthoritySigning
		case n == waiting:
			x.State = fleet.AuthorityPending
		}
		out = append(out, x)
	}
	return out, nil
}
