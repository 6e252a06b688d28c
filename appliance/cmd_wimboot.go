package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"slipway/appliance/internal/imaging"
)

// wimbootCommand shows, adds and removes wimboot.
func (a *app) wimbootCommand() *cobra.Command {
	var remove bool
	c := a.jsonFlag(&cobra.Command{Use: "wimboot [FILE]", Short: "Show, add or remove wimboot, by which iPXE starts Windows PE", Args: usage(cobra.MaximumNArgs(1)),
		Long: "Without FILE it says what is there. FILE is the file wimboot of a release of the wimboot project; it is checked\nand served from then on."})
	c.Flags().BoolVar(&remove, "remove", false, "remove it")
	c.RunE = func(c *cobra.Command, args []string) error {
		var w imaging.Wimboot
		var err error
		switch {
		case remove && len(args) > 0:
			return usageError{fmt.Errorf("give a file or --remove, not both")}
		case remove:
			return a.call(c.Context(), "DELETE", "/admin/images/wimboot", nil, nil)
		case len(args) > 0:
			var file []byte
			if file, err = readBounded(args[0], imaging.MaxWimboot); err == nil {
				err = a.call(c.Context(), "PUT", "/admin/images/wimboot", file, &w)
			}
		default:
			err = a.call(c.Context(), "GET", "/admin/images/wimboot", nil, &w)
		}
		if err != nil {
			return err
		}
		return a.printWimboot(w)
	}
	return c
}

func (a *app) printWimboot(w imaging.Wimboot) error {
	if a.json {
		return a.printJSON(w)
	}
	if !w.Present {
		_, err := fmt.Fprintln(a.out, "wimboot has not been added.")
		return err
	}
	if w.Version != "" {
		fmt.Fprintf(a.out, "wimboot %s, sha256 %s\n", w.Version, w.SHA256)
	}
	if w.Warning != "" {
		fmt.Fprintln(a.out, "Warning:", w.Warning)
	}
	return nil
}

// readBounded reads a file of at most so many bytes.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return b, err
}
