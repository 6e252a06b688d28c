package steps

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// configureOperatingSystem names and localises a system. Everything is checked before
// anything is changed.
func configureOperatingSystem(ctx context.Context, s *Step) (Outcome, error) {
	if onWindows(s) {
		return Outcome{}, inWindows(ctx, s, func(v *windowsVolume) error {
			settings, err := configuredAnswers(s, v.root)
			if err != nil {
				return err
			}
			return v.answers(settings, "")
		})
	}
	y, err := openSystem(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	defer y.close()
	name, zone := setting(s, "ComputerName"), setting(s, "TimeZone")
	locale, localeErr := localeName(setting(s, "SystemLocale"))
	layout, layoutErr := keyboardLayout(setting(s, "InputLocale"))
	if err := errors.Join(checkHostName(name), y.checkZone(zone), localeErr, layoutErr); err != nil {
		return Outcome{}, err
	}
	if name != "" {
		if err := y.setHostName(ctx, name); err != nil {
			return Outcome{}, err
		}
	}
	if zone != "" {
		if err := y.setZone(zone); err != nil {
			return Outcome{}, err
		}
	}
	if locale != "" {
		if err := y.setLocale(ctx, locale); err != nil {
			return Outcome{}, err
		}
	}
	if layout != "" {
		if err := y.setKeyboard(layout); err != nil {
			return Outcome{}, err
		}
	}
	if s.Settings.Bool("ImportRootCerts") {
		return Outcome{}, y.trust(ctx, s.Machine.Agent.Authorities())
	}
	return Outcome{}, nil
}

// A label of RFC 1123, section 2.1; a domain may follow.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

func checkHostName(name string) error {
	switch {
	case name == "":
		return nil
	case strings.Contains(name, "%"):
		return fmt.Errorf("the computer name %q names a variable that does not exist", name)
	case !hostName.MatchString(name) || len(name) > 253:
		return fmt.Errorf("%q cannot be a computer name: use letters, digits and hyphens, 63 characters at most", name)
	}
	return nil
}

func (y *system) setHostName(ctx context.Context, name string) error {
	short, _, _ := strings.Cut(name, ".")
	known := short
	if short != name {
		known = name + " " + short
	}
	if err := y.write("/etc/hostname", short+"\n", 0o644); err != nil {
		return err
	}
	err := y.edit("/etc/hosts", 0o644, func(line string) (string, bool) {
		if strings.HasPrefix(line, "127.0.1.1") {
			return "127.0.1.1\t" + known, true
		}
		return line, false
	}, "127.0.1.1\t"+known)
	if err != nil {
		return err
	}
	y.step.Log("info", "the computer's name is "+name)
	if y.running && y.has("hostname") {
		return y.run(ctx, "hostname", short)
	}
	return nil
}

func (y *system) checkZone(zone string) error {
	switch {
	case zone == "":
		return nil
	case strings.Contains(zone, "..") || strings.HasPrefix(zone, "/"):
		return fmt.Errorf("%q is not the name of a time zone", zone)
	case !y.exists("usr/share/zoneinfo"):
		return errors.New("the system has no time zones: the package tzdata is missing in it")
	case !y.exists("usr/share/zoneinfo/" + zone):
		return fmt.Errorf("the system does not know the time zone %q: use a name such as Europe/Berlin", zone)
	}
	return nil
}

func (y *system) setZone(zone string) error {
	if err := y.dir.Remove("etc/localtime"); err != nil && y.exists("etc/localtime") {
		return fmt.Errorf("set the time zone: %w", err)
	}
	if err := y.dir.Symlink("/usr/share/zoneinfo/"+zone, "etc/localtime"); err != nil {
		return fmt.Errorf("set the time zone: %w", err)
	}
	y.step.Log("info", "the time zone is "+zone)
	return y.write("/etc/timezone", zone+"\n", 0o644)
}

var localeForm = regexp.MustCompile(`^([a-z]{2,3})[-_]([A-Z]{2})(?:\.[Uu][Tt][Ff]-?8)?(@[a-z]+)?$`)

// localeName writes a locale as Linux does: de-DE and de_DE are de_DE.UTF-8.
func localeName(text string) (string, error) {
	if text == "" || text == "C.UTF-8" {
		return text, nil
	}
	m := localeForm.FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%q is not a locale: use a form such as de-DE or de_DE.UTF-8", text)
	}
	return m[1] + "_" + m[2] + ".UTF-8" + m[3], nil
}

func (y *system) setLocale(ctx context.Context, locale string) error {
	if locale != "C.UTF-8" {
		if err := y.makeLocale(ctx, locale); err != nil {
			return err
		}
	}
	// Debian reads /etc/default/locale, systemd and others /etc/locale.conf; current
	// Debian has the first as a link to the second.
	files := []string{"/etc/locale.conf"}
	if info, err := y.dir.Lstat("etc/default/locale"); y.exists("etc/debian_version") && (err != nil || info.Mode().IsRegular()) {
		files = append(files, "/etc/default/locale")
	}
	for _, file := range files {
		err := y.edit(file, 0o644, func(line string) (string, bool) {
			if strings.HasPrefix(line, "LANG=") {
				return "LANG=" + locale, true
			}
			return line, false
		}, "LANG="+locale)
		if err != nil {
			return err
		}
	}
	y.step.Log("info", "language and region are "+locale)
	return nil
}

// makeLocale makes the locale where it is not there yet.
func (y *system) makeLocale(ctx context.Context, locale string) error {
	folder := strings.Replace(locale, ".UTF-8", ".utf8", 1)
	switch {
	case y.exists("usr/lib/locale/" + folder):
		return nil
	case y.has("locale-gen"):
		wanted := locale + " UTF-8"
		err := y.edit("/etc/locale.gen", 0o644, func(line string) (string, bool) {
			if strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#")) == wanted {
				return wanted, true
			}
			return line, false
		}, wanted)
		if err != nil {
			return err
		}
		return y.run(ctx, "locale-gen")
	case y.has("localedef"):
		language, _, _ := strings.Cut(locale, ".UTF-8")
		return y.run(ctx, "localedef", "-i", language, "-f", "UTF-8", locale)
	}
	return fmt.Errorf("the system cannot make the locale %s: the package locales (glibc-langpack on Fedora and its kin) is missing in it", locale)
}

var layoutForm = regexp.MustCompile(`^([a-z]{2,3})(?:-([A-Z]{2}))?$`)

// keyboardLayout reads "de", or "de-CH", whose layout goes by the country.
func keyboardLayout(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	m := layoutForm.FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%q is not a keyboard layout: use a form such as de, us or de-CH", text)
	}
	country := strings.ToLower(m[2])
	if country == "" || m[1] == country {
		return m[1], nil
	}
	if m[1] == "en" || country == "ch" || country == "be" || country == "br" || country == "ca" {
		return country, nil
	}
	return m[1], nil
}

func (y *system) setKeyboard(layout string) error {
	for file, key := range map[string]string{"/etc/default/keyboard": "XKBLAYOUT=", "/etc/vconsole.conf": "KEYMAP="} {
		if key == "XKBLAYOUT=" && !y.exists("etc/debian_version") {
			continue
		}
		value := key + layout
		if key == "XKBLAYOUT=" {
			value = key + `"` + layout + `"`
		}
		err := y.edit(file, 0o644, func(line string) (string, bool) {
			if strings.HasPrefix(line, key) {
				return value, true
			}
			return line, false
		}, value)
		if err != nil {
			return err
		}
	}
	y.step.Log("info", "the keyboard layout is "+layout)
	return nil
}

// trust adds authorities to those the system trusts.
func (y *system) trust(ctx context.Context, authorities []string) error {
	dir, update := "/usr/local/share/ca-certificates/", "update-ca-certificates"
	if !y.has(update) {
		dir, update = "/etc/pki/ca-trust/source/anchors/", "update-ca-trust"
	}
	if !y.has(update) {
		return errors.New("the system keeps no list of authorities: the package ca-certificates is missing in it")
	}
	for i, text := range authorities {
		if err := y.write(fmt.Sprintf("%sslipway-%d.crt", dir, i+1), text, 0o644); err != nil {
			return err
		}
	}
	return y.run(ctx, update)
}
