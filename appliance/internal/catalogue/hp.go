package catalogue

import (
	"encoding/xml"
	"strings"
)

// hpCatalogue is HPClientDriverPackCatalog.xml, which HP publishes as a cabinet: one list
// says which SoftPaq a model needs for a system, another where the SoftPaqs are.
type hpCatalogue struct {
	XMLName xml.Name `xml:"NewDataSet"`
	Fits    []struct {
		Architecture string `xml:"Architecture"`
		SystemID     string `xml:"SystemId"` // board ids, separated by commas
		SystemName   string `xml:"SystemName"`
		OSName       string `xml:"OSName"` // e.g. "Windows 11 64-bit, 23H2"
		SoftPaqID    string `xml:"SoftPaqId"`
	} `xml:"HPClientDriverPackCatalog>ProductOSDriverPackList>ProductOSDriverPack"`
	SoftPaqs []struct {
		ID       string `xml:"Id"`
		Name     string `xml:"Name"`
		Version  string `xml:"Version"`
		Released string `xml:"DateReleased"`
		URL      string `xml:"Url"`
		Size     int64  `xml:"Size"`
		MD5      string `xml:"MD5"`
		SHA256   string `xml:"SHA256"`
	} `xml:"HPClientDriverPackCatalog>SoftPaqList>SoftPaq"`
}

func readHP(text []byte) ([]Entry, error) {
	var c hpCatalogue
	if err := decode(text, &c); err != nil {
		return nil, err
	}
	paqs := map[string]int{}
	for i, p := range c.SoftPaqs {
		paqs[strings.TrimSpace(p.ID)] = i
	}
	// What fits the same system is one entry of its SoftPaq, for all its models.
	at := map[string]int{}
	var out []Entry
	var models []set // of out
	for _, fit := range c.Fits {
		i, ok := paqs[strings.TrimSpace(fit.SoftPaqID)]
		os := windowsName(fit.OSName)
		if !ok || os == "" {
			continue
		}
		p := c.SoftPaqs[i]
		_, version, _ := strings.Cut(fit.OSName, ",")
		address := strings.TrimSpace(p.URL)
		if rest, plain := strings.CutPrefix(address, "http://"); plain {
			address = "https://" + rest // HP's servers speak both
		}
		if address != "" && !strings.Contains(address, "://") {
			address = "https://" + address
		}
		e := Entry{Kind: KindDriverPack, Name: words(p.Name + " " + p.Version + " " + p.ID), URL: address, Size: p.Size,
			Digest: strongest(digest("sha256", p.SHA256), digest("md5", p.MD5)), Released: day(p.Released), OS: os, Version: words(version),
			Architecture: processor(fit.Architecture), Manufacturer: "HP"}
		key := strings.Join([]string{p.ID, e.OS, e.Version, e.Architecture}, "\x00")
		n, known := at[key]
		if !known {
			n = len(out)
			at[key] = n
			out, models = append(out, e), append(models, set{})
		}
		models[n].add(append([]string{fit.SystemName}, strings.Split(fit.SystemID, ",")...)...)
	}
	for i := range out {
		out[i].Models = models[i].list
	}
	return out, nil
}
