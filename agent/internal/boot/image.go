package boot

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Image is what the boot image says of itself, in etc/slipway/.
type Image struct {
	Format       int      `json:"format"`
	ID           string   `json:"id"`
	Kind         string   `json:"kind"`
	AgentVersion string   `json:"agentVersion"`
	Protocol     int      `json:"protocol"`
	Lab          bool     `json:"lab"`
	Keyboard     string   `json:"keyboard"`
	Servers      []string `json:"servers"`

	Installation string              `json:"-"` // etc/slipway/installation
	Authorities  []*x509.Certificate `json:"-"` // etc/slipway/ca.pem
}

// ShortID is the image id as shown on the screen.
func (i Image) ShortID() string { return i.ID[:min(12, len(i.ID))] }

// Pool returns the pinned CA set.
func (i Image) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range i.Authorities {
		pool.AddCert(c)
	}
	return pool
}

// The folders in which boot images describe themselves.
const (
	linuxFolder = "etc/slipway"
	winPEFolder = "slipway" // of the drive X:
)

// LoadImage reads etc/slipway/ below root. What could be read is returned even
// with an error, so that the screen can name the image that is damaged.
func LoadImage(root fs.FS) (Image, error) { return loadImage(root, linuxFolder) }

// LoadWinPE is LoadImage in WinPE, where the folder is slipway.
func LoadWinPE(root fs.FS) (Image, error) { return loadImage(root, winPEFolder) }

func loadImage(root fs.FS, folder string) (Image, error) {
	var img Image
	text, err := fs.ReadFile(root, folder+"/image.json")
	if err != nil {
		return img, fmt.Errorf("read the boot image's description: %w", err)
	}
	if err := json.Unmarshal(text, &img); err != nil {
		return img, fmt.Errorf("read the boot image's description: %w", err)
	}
	if img.Format != 1 {
		return img, fmt.Errorf("the boot image's description has format %d, this agent knows 1", img.Format)
	}
	id, err := fs.ReadFile(root, folder+"/installation")
	if err != nil {
		return img, fmt.Errorf("read the installation id: %w", err)
	}
	if img.Installation = strings.TrimSpace(string(id)); img.Installation == "" {
		return img, errors.New("the boot image names no installation")
	}
	ca, err := fs.ReadFile(root, folder+"/ca.pem")
	if err != nil {
		return img, fmt.Errorf("read the pinned certificates: %w", err)
	}
	img.Authorities, err = parseCertificates(ca)
	return img, err
}

func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read a pinned certificate: %w", err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("the boot image pins no certificate")
	}
	return certs, nil
}
