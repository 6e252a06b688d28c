package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"slipway/lab"
)

const blkSize = 1468 // what EDK2 asks for

// server is one of those compared, on an address of its own of one loopback.
type server struct {
	name, address string
	argv          []string
}

// servers are the peers as Debian has them, with their own limits raised so that 64
// clients fit.
func servers(dir string) []server {
	peers := filepath.Join(lab.Root(), ".cache", "bench") // lab/bench-peers.sh
	return []server{
		{"slipway", "127.0.0.1", nil},
		{"dnsmasq", "127.0.0.2", []string{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--port=0", "--user=root",
			"--listen-address=127.0.0.2", "--bind-interfaces", "--enable-tftp", "--tftp-root=" + dir, "--tftp-max=200"}},
		{"tftpd-hpa", "127.0.0.3", []string{peers + "/tftpd-hpa/usr/sbin/in.tftpd", "--foreground", "--listen", "--address", "127.0.0.3:69", "--user", "root", "--secure", dir}},
		{"atftpd", "127.0.0.4", []string{peers + "/atftpd/usr/sbin/atftpd", "--daemon", "--no-fork", "--user", "root", "--group", "root", "--bind-address", "127.0.0.4", "--maxthread", "200", dir}},
	}
}

// load is one way of asking: clients at once, each one file of that size.
type load struct {
	clients int
	bytes   int64
}

var (
	windows = []int{1, 4, 16, 64}
	loads   = []load{{1, 48 << 20}, {16, 6 << 20}, {64, 2 << 20}}
)

func benchTFTP(ctx context.Context, r *lab.Run, rounds int, out io.Writer) error {
	segment, err := r.NewNetwork()
	if err != nil {
		return err
	}
	dir := r.Path("data/boot/loaders")
	sums, err := makeFiles(dir)
	if err != nil {
		return err
	}
	app, err := segment.StartAppliance(ctx, lab.ApplianceOptions{Data: r.Path("data"), Config: "tftp:\n  listen: 127.0.0.1:69\ndhcp:\n  mode: 'off'\n"})
	if err != nil {
		return err
	}
	list := servers(dir)
	for _, s := range list[1:] {
		if _, err := r.Start(s.name, app.NS, s.argv...); err != nil {
			return err
		}
	}
	for _, s := range list {
		if err := check(ctx, app.NS, s, sums); err != nil {
			return err
		}
	}
	results := map[string][]float64{}
	for round := range rounds {
		for _, w := range windows {
			for _, l := range loads {
				for i := range list {
					s := list[(i+round)%len(list)] // nobody is always the first
					rate, err := measure(ctx, app.NS, s, w, l)
					if err != nil {
						return err
					}
					k := key(s.name, w, l.clients)
					results[k] = append(results[k], rate)
				}
			}
		}
	}
	return table(out, list, results)
}

func fileName(bytes int64) string { return fmt.Sprintf("bench-%d", bytes) }

func makeFiles(dir string) (map[int64][32]byte, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	sums := map[int64][32]byte{}
	for _, l := range loads {
		b := make([]byte, l.bytes)
		rand.Read(b)
		sums[l.bytes] = sha256.Sum256(b)
		if err := os.WriteFile(filepath.Join(dir, fileName(l.bytes)), b, 0o644); err != nil {
			return nil, err
		}
	}
	// The peers drop their rights to read what only root may.
	for p := dir; len(p) > 1 && p != os.TempDir(); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// check waits until a server answers, and that it serves the right bytes.
func check(ctx context.Context, ns *lab.Namespace, s server, sums map[int64][32]byte) error {
	small := loads[len(loads)-1].bytes
	var err error
	for range 10 {
		sum := sha256.New()
		g := lab.TFTPGet{Server: s.address + ":69", Name: fileName(small), BlkSize: blkSize, Window: 4, Into: sum}
		if _, err = g.Run(ctx, ns); err == nil {
			if want := sums[small]; !slices.Equal(sum.Sum(nil), want[:]) {
				return fmt.Errorf("%s serves other bytes than it was given", s.name)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not serve: %w", s.name, err)
}

// measure returns MiB per second over all clients.
func measure(ctx context.Context, ns *lab.Namespace, s server, window int, l load) (float64, error) {
	var wg sync.WaitGroup
	errs := make([]error, l.clients)
	began := time.Now()
	for i := range l.clients {
		wg.Go(func() {
			g := lab.TFTPGet{Server: s.address + ":69", Name: fileName(l.bytes), BlkSize: blkSize, Window: window,
				From: net.IPv4(127, 1, 0, byte(i+1))}
			n, err := g.Run(ctx, ns)
			if err == nil && n != l.bytes {
				err = fmt.Errorf("%d bytes of %d", n, l.bytes)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, fmt.Errorf("%s, window %d, %d clients: %w", s.name, window, l.clients, err)
	}
	return float64(l.bytes) * float64(l.clients) / (1 << 20) / time.Since(began).Seconds(), nil
}

func key(name string, window, clients int) string { return fmt.Sprint(name, "/", window, "/", clients) }

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// table prints the medians, and how we stand beside each peer.
func table(out io.Writer, list []server, results map[string][]float64) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "window\tclients\t")
	for _, s := range list {
		fmt.Fprintf(w, "%s MiB/s\t", s.name)
	}
	for _, s := range list[1:] {
		fmt.Fprintf(w, "against %s\t", s.name)
	}
	fmt.Fprintln(w)
	for _, window := range windows {
		for _, l := range loads {
			fmt.Fprintf(w, "%d\t%d\t", window, l.clients)
			own := median(results[key(list[0].name, window, l.clients)])
			for _, s := range list {
				fmt.Fprintf(w, "%.0f\t", median(results[key(s.name, window, l.clients)]))
			}
			for _, s := range list[1:] {
				fmt.Fprintf(w, "%.2f\t", own/median(results[key(s.name, window, l.clients)]))
			}
			fmt.Fprintln(w)
		}
	}
	return w.Flush()
}
