package bootimages

import (
	"bytes"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
)

// scanLimit is how much of each file is searched for the text of a secret.
const scanLimit = 1 << 20

// secretNames are file names that hold secrets by custom.
var secretNames = []string{"*.key", "*.pfx", "*.p12", "*.jks", "*.kdbx", "*.ppk", "*.token", "*.tfstate", "id_rsa*", "id_dsa*", "id_ecdsa*",
	"id_ed25519*", "ssh_host_*_key", ".netrc", "_netrc", ".pgpass", ".git-credentials", ".npmrc", ".pypirc", "credentials", ".env", "shadow", "shadow-",
	"wpa_supplicant.conf", "krb5.keytab", "*.keytab", "secring.gpg", "kubeconfig"}

// secretTexts are marks of secrets inside files, each with what it is.
var secretTexts = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----`)},
	{"a PuTTY private key", regexp.MustCompile(`PuTTY-User-Key-File-[23]:`)},
	{"a GitHub token", regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})`)},
	{"a GitLab token", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20}`)},
	{"an AWS key", regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`)},
	{"a Slack token", regexp.MustCompile(`\bxox[abprs]-[A-Za-z0-9-]{20,}`)},
	{"a JSON web token", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`)},
}

// looksSecret says what kind of secret a file seems to hold, or "".
func looksSecret(name string, content io.Reader) (string, error) {
	base := strings.ToLower(path.Base(name))
	for _, p := range secretNames {
		if ok, _ := path.Match(p, base); ok && !strings.HasSuffix(base, ".pub") {
			return "by its name", nil
		}
	}
	b, err := io.ReadAll(io.LimitReader(content, scanLimit))
	if err != nil {
		return "", err
	}
	// Windows tools write UTF-16: the marks are ASCII, so dropping NULs finds them.
	b = bytes.ReplaceAll(b, []byte{0}, nil)
	for _, t := range secretTexts {
		if t.pattern.Match(b) {
			return t.what, nil
		}
	}
	return "", nil
}

// refuseSecrets looks at every file of a folder that would become public.
func refuseSecrets(dir string, files []folderFile) error {
	found := &SecretError{Folder: dir}
	for _, f := range files {
		if f.link != "" {
			continue
		}
		r, err := os.Open(f.source)
		if err != nil {
			return err
		}
		what, err := looksSecret(f.name, r)
		r.Close()
		if err != nil {
			return err
		}
		if what != "" {
			found.Files = append(found.Files, f.name+" ("+what+")")
		}
		if len(found.Files) == 5 {
			break
		}
	}
	if len(found.Files) > 0 {
		return found
	}
	return nil
}
