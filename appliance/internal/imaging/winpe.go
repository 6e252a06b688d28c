package imaging

import (
	"fmt"

	"slipway/bootimages"
)

// Report says what is in a Windows PE image ("" for the one that x64 devices get).
func (s *Service) Report(id string) (string, bootimages.WinPEReport, error) {
	if id == "" {
		image, ok := s.CurrentWinPE(bootimages.X64)
		if !ok {
			return "", bootimages.WinPEReport{}, fmt.Errorf("%w: no Windows PE image is served: build one first (slipway image build winpe --source FILE)", bootimages.ErrOption)
		}
		id = image.ID
	}
	if _, err := s.Get(id); err != nil {
		return id, bootimages.WinPEReport{}, err
	}
	r, err := s.c.Builder.Report(id)
	return id, r, err
}
