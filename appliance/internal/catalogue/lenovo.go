package catalogue

import (
	"encoding/xml"
	"path"
	"strings"
)

// lenovoList is catalogv2.xml, Lenovo's list of driver packs for deployment tools.
type lenovoList struct {
	XMLName xml.Name `xml:"ModelList"`
	Models  []struct {
		Name  string   `xml:"name,attr"`
		Types []string `xml:"Types>Type"` // machine types: the first four characters of a model
		Packs []struct {
			OS      string `xml:"os,attr"`      // win10, win11
			Version string `xml:"version,attr"` // e.g. 22H2; *: any
			Date    string `xml:"date,attr"`
			CRC     string `xml:"crc,attr"` // SHA-256, where it has that length
			MD5     string `xml:"md5,attr"`
			URL     string `xml:",chardata"`
		} `xml:"SCCM"`
	} `xml:"Model"`
}

func readLenovo(text []byte) ([]Entry, error) {
	var l lenovoList
	if err := decode(text, &l); err != nil {
		return nil, err
	}
	var out []Entry
	for _, m := range l.Models {
		for _, p := range m.Packs {
			address, version := strings.TrimSpace(p.URL), strings.TrimSpace(p.Version)
			if version == "*" {
				version = ""
			}
			if os := windowsName(p.OS); os != "" {
				out = append(out, Entry{Kind: KindDriverPack, Name: words("Lenovo " + m.Name + " " + path.Base(address)), URL: address,
					Digest: strongest(digest("sha256", p.CRC), digest("md5", p.MD5)), Released: day(p.Date), OS: os, Version: words(version), Architecture: "x64",
					Manufacturer: "Lenovo", Models: distinct(append([]string{m.Name}, m.Types...)...)})
			}
		}
	}
	return out, nil
}
