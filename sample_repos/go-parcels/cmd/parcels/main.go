// Command parcels tracks parcels, plans their routes and quotes what shipping costs.
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"example.org/parcels/internal/config"
	"example.org/parcels/internal/feed"
	"example.org/parcels/internal/network"
	"example.org/parcels/internal/notify"
	"example.org/parcels/internal/report"
	"example.org/parcels/internal/store"
	"example.org/parcels/internal/tariff"
)

// options are the flags that all commands share.
type options struct {
	feed, network, config string
	at, service, size     string
	kg                    float64
}

var commands = map[string]func(options, []string, io.Writer) error{
	"history": history,
	"route":   route,
	"quote":   quote,
	"notify":  notifyAll,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: parcels history|route|quote|notify [flags] [operands]")
		os.Exit(2)
	}
	var o options
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&o.feed, "feed", "examples/feed.txt", "the tracking feed")
	flags.StringVar(&o.network, "network", "examples/network.json", "the network of hubs")
	flags.StringVar(&o.config, "config", "examples/parcels.json", "the settings")
	flags.StringVar(&o.at, "at", "", "report as of this moment (RFC 3339); now if empty")
	flags.StringVar(&o.service, "service", "economy", "economy or express")
	flags.StringVar(&o.size, "size", "20x15x10", "outside of the box in centimetres")
	flags.Float64Var(&o.kg, "kg", 1, "weight on the scale in kilograms")
	_ = flags.Parse(os.Args[2:]) // ExitOnError: it does not return an error
	if err := commands[os.Args[1]](o, flags.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "parcels:", err)
		os.Exit(3)
	}
}

// load opens a file and reads it.
func load[T any](path string, read func(io.Reader) (T, error)) (T, error) {
	file, err := os.Open(path)
	if err != nil {
		var none T
		return none, err
	}
	defer file.Close()
	return read(file)
}

func history(o options, operands []string, out io.Writer) error {
	moment := time.Now()
	if o.at != "" {
		var err error
		if moment, err = time.Parse(time.RFC3339, o.at); err != nil {
			return err
		}
	}
	hubs, err := load(o.network, network.Read)
	if err != nil {
		return err
	}
	scans, err := load(o.feed, feed.Read)
	if err != nil {
		return err
	}
	parcels := store.New()
	parcels.Ingest(scans)
	for _, number := range operands {
		p, err := parcels.Get(number)
		if err != nil {
			return err
		}
		standing, err := report.Writer{Network: hubs}.AsOf(p, moment)
		if err != nil {
			return err
		}
		print(out, standing)
	}
	return nil
}

func print(out io.Writer, standing report.Report) {
	fmt.Fprintln(out, standing.Number)
	for _, event := range standing.Known {
		fmt.Fprintln(out, "  ", event)
	}
	if len(standing.Since) > 0 {
		fmt.Fprintln(out, "since then")
	}
	for _, event := range standing.Since {
		fmt.Fprintln(out, "  ", event)
	}
}

// plan finds the route between the two operands under the chosen service.
func plan(o options, operands []string) (network.Route, config.Service, error) {
	if len(operands) != 2 {
		return nil, config.Service{}, fmt.Errorf("name two hubs, not %d", len(operands))
	}
	settings, err := load(o.config, config.Read)
	if err != nil {
		return nil, config.Service{}, err
	}
	service, ok := settings.Services[o.service]
	if !ok {
		return nil, service, fmt.Errorf("there is no service %q", o.service)
	}
	hubs, err := load(o.network, network.Read)
	if err != nil {
		return nil, service, err
	}
	found, err := hubs.Shortest(operands[0], operands[1], service.Measure)
	return found, service, err
}

func route(o options, operands []string, out io.Writer) error {
	found, _, err := plan(o, operands)
	if err != nil {
		return err
	}
	for _, link := range found {
		fmt.Fprintf(out, "%s > %s  %4d km  %2d h\n", link.From, link.To, link.Km, link.Hours)
	}
	fmt.Fprintf(out, "%d km, %d h\n", found.Km(), found.Hours())
	return nil
}

func quote(o options, operands []string, out io.Writer) error {
	size, err := tariff.ParseSize(o.size)
	if err != nil {
		return err
	}
	found, service, err := plan(o, operands)
	if err != nil {
		return err
	}
	grams := tariff.ChargeableGrams(int(math.Ceil(o.kg*1000)), size)
	lines := service.Rates.Quote(grams, found)
	for _, line := range append(lines, tariff.Line{Name: "total", Amount: tariff.Total(lines)}) {
		fmt.Fprintf(out, "%-10s%8s\n", line.Name, line.Amount)
	}
	return nil
}

func notifyAll(o options, _ []string, out io.Writer) error {
	settings, err := load(o.config, config.Read)
	if err != nil {
		return err
	}
	scans, err := load(o.feed, feed.Read)
	if err != nil {
		return err
	}
	news := store.New().Ingest(scans)
	for _, m := range notify.Messages(news, settings.Subscriptions, settings.Quiet) {
		fmt.Fprintf(out, "%s  %s  %s\n", m.SendAt.Format(time.RFC3339), m.Address, m.Text)
	}
	return nil
}
