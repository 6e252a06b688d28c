package catalogue

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// microsoftMedia is products.xml, which the Media Creation Tool fetches as products.cab:
// where images of Windows lie (.esd), one entry for each edition in a file.
type microsoftMedia struct {
	XMLName xml.Name `xml:"MCT"`
	Files   []struct {
		Name     string `xml:"FileName"` // begins with the build: 26100.4349....esd
		Language string `xml:"LanguageCode"`
		Edition  string `xml:"Edition"`
		Arch     string `xml:"Architecture"`
		Size     int64  `xml:"Size"`
		SHA1     string `xml:"Sha1"`
		SHA256   string `xml:"Sha256"`
		URL      string `xml:"FilePath"`
	} `xml:"Catalogs>Catalog>PublishedMedia>Files>File"`
}

// builds are the versions of Windows by their builds ("Windows release information").
var builds = map[int]string{
	17763: "1809", 18362: "1903", 18363: "1909", 19041: "2004", 19042: "20H2", 19043: "21H1", 19044: "21H2", 19045: "22H2",
	22000: "21H2", 22621: "22H2", 22631: "23H2", 26100: "24H2", 26200: "25H2",
}

// firstEleven is the first build that is Windows 11.
const firstEleven = 22000

// editions are what editions are called in the names of images, behind "Windows 11".
var editions = map[string]string{
	"core": "Home", "coren": "Home N", "coresinglelanguage": "Home Single Language", "corecountryspecific": "Home China",
	"professional": "Pro", "professionaln": "Pro N", "professionaleducation": "Pro Education", "professionalworkstation": "Pro for Workstations",
	"education": "Education", "educationn": "Education N", "enterprise": "Enterprise", "enterprisen": "Enterprise N",
}

func readMicrosoft(text []byte) ([]Entry, error) {
	var m microsoftMedia
	if err := decode(text, &m); err != nil {
		return nil, err
	}
	var out []Entry
	for _, f := range m.Files {
		number, _, _ := strings.Cut(f.Name, ".")
		build, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil || !strings.HasSuffix(strings.ToLower(strings.TrimSpace(f.Name)), ".esd") {
			continue
		}
		os := "Windows 10"
		if build >= firstEleven {
			os = "Windows 11"
		}
		e := Entry{Kind: KindOperatingSystem, Name: words(f.Name), URL: strings.TrimSpace(f.URL), Size: f.Size,
			Digest: strongest(digest("sha256", f.SHA256), digest("sha1", f.SHA1)), OS: os, Version: builds[build], Architecture: processor(f.Arch),
			Edition: words(f.Edition), LanguageCode: strings.ToLower(words(f.Language))}
		if e.Version == "" {
			e.Version = strconv.Itoa(build)
		}
		if name := editions[strings.ToLower(e.Edition)]; name != "" {
			e.Image = os + " " + name
		}
		out = append(out, e)
	}
	return out, nil
}
