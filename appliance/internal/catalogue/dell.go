package catalogue

import (
	"encoding/xml"
	"strings"
)

// dellManifest is DriverPackCatalog.xml, which Dell publishes as a cabinet ("Driver Pack
// Catalog"). Attributes are spelled in more than one way over the years.
type dellManifest struct {
	XMLName      xml.Name      `xml:"DriverPackManifest"`
	BaseLocation string        `xml:"baseLocation,attr"`
	Packages     []dellPackage `xml:"DriverPackage"`
}

type dellPackage struct {
	Path     string `xml:"path,attr"`
	Type     string `xml:"type,attr"` // win, winpe
	Size     int64  `xml:"size,attr"`
	DateTime string `xml:"dateTime,attr"`
	MD5      string `xml:"hashMD5,attr"`
	Version  string `xml:"dellVersion,attr"`
	Names    []struct {
		Text string `xml:",chardata"`
	} `xml:"Name>Display"`
	Systems []struct {
		Code string `xml:"osCode,attr"`
		Arch string `xml:"osArch,attr"`
	} `xml:"SupportedOperatingSystems>OperatingSystem"`
	Models []struct {
		Attributes []xml.Attr `xml:",any,attr"`
	} `xml:"SupportedSystems>Brand>Model"`
	Hashes []struct {
		Algorithm string `xml:"algorithm,attr"`
		Value     string `xml:",chardata"`
	} `xml:"Cryptography>Hash"`
}

func readDell(text []byte) ([]Entry, error) {
	var m dellManifest
	if err := decode(text, &m); err != nil {
		return nil, err
	}
	base := strings.TrimRight(strings.TrimSpace(m.BaseLocation), "/")
	if base == "" {
		base = "downloads.dell.com"
	}
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	var out []Entry
	for _, p := range m.Packages {
		if strings.EqualFold(p.Type, "winpe") {
			continue
		}
		var models []string
		for _, model := range p.Models {
			for _, a := range model.Attributes {
				if strings.EqualFold(a.Name.Local, "name") || strings.EqualFold(a.Name.Local, "systemID") {
					models = append(models, a.Value)
				}
			}
		}
		sum := ""
		for _, h := range p.Hashes {
			if strings.EqualFold(h.Algorithm, "SHA256") {
				sum = digest("sha256", h.Value)
			}
		}
		name := p.Path[strings.LastIndex(p.Path, "/")+1:]
		if len(p.Names) > 0 && words(p.Names[0].Text) != "" {
			name = p.Names[0].Text
		}
		models = distinct(models...)
		seen := map[string]bool{}
		for _, system := range p.Systems {
			e := Entry{Kind: KindDriverPack, Name: words("Dell " + name + " " + p.Version), URL: base + "/" + strings.TrimLeft(strings.TrimSpace(p.Path), "/"), Size: p.Size,
				Digest: strongest(sum, digest("md5", p.MD5)), Released: day(p.DateTime), OS: windowsName(system.Code), Architecture: processor(system.Arch),
				Manufacturer: "Dell", Models: models}
			if key := e.OS + e.Architecture; e.OS != "" && !seen[key] {
				seen[key] = true
				out = append(out, e)
			}
		}
	}
	return out, nil
}
