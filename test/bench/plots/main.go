// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command plots makes docs/benchmarks.md and its pictures of the raw figures that test/bench wrote, and keeps those as
// docs/benchmarks.json. Of figures that are not of everything it makes nothing.
//
//	plots bin/bench.json docs
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	_ "embed"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// result is what test/bench writes.
type result struct {
	At      time.Time
	CPUs    int
	Go      string
	Seed    int64
	Quick   bool
	Only    string
	Runs    int
	Failed  []failure
	Figures []figure
	Curves  []curve
	Others  map[string]string
}

type failure struct {
	Run                int
	Measurement, Error string
}

type figure struct {
	Metric, What, Unit string
	N                  int
	Run                int
	Value              float64
	Floor              *float64
	Want               struct {
		Least, Most *float64
		Gate        bool
	}
}

type curve struct {
	Name              string
	Run               int
	Accepted, Refused []int
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plots:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: plots FIGURES.json DOCS")
	}
	content, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var r result
	if err := json.Unmarshal(content, &r); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if r.Quick || r.Only != "" {
		fmt.Printf("%s stays as it is: %s is not of everything.\n", args[1], args[0])
		return nil
	}
	pictures := filepath.Join(args[1], "images")
	if err := os.MkdirAll(pictures, 0o750); err != nil {
		return err
	}
	for _, p := range []struct {
		file, title, unit string
		whats             []string
	}{
		{"latency.svg", "A newcomer beside N settled objects", "seconds", []string{
			"newcomer: created -> first cloud call, p99", "newcomer: created -> Ready, p50", "newcomer: created -> Ready, p99",
		}},
		{"calls.svg", "Cloud calls per interval at rest", "calls", []string{"list pages per interval", "looks at single resources per interval"}},
		{"memory.svg", "Memory of the manager at rest", "MiB", []string{"resident memory at rest", "heap at rest"}},
	} {
		if err := overN(r, filepath.Join(pictures, p.file), p.title, p.unit, p.whats); err != nil {
			return err
		}
	}
	if err := overTime(r, filepath.Join(pictures, "limit.svg")); err != nil {
		return err
	}
	if err := page(r, filepath.Join(args[1], "benchmarks.md")); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[1], "benchmarks.json"), content, 0o600)
}

// overN draws figures over the number of objects, the mean of all runs.
func overN(r result, file, title, unit string, whats []string) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "objects", unit
	p.X.Scale, p.X.Tick.Marker, p.Y.Min = plot.LogScale{}, plot.LogTicks{Prec: -1}, 0
	p.Legend.Top, p.Legend.Left = true, true
	var lines []any
	for _, what := range whats {
		means := map[int][]float64{}
		for _, f := range r.Figures {
			if f.What == what {
				means[f.N] = append(means[f.N], f.Value)
			}
		}
		var points plotter.XYs
		for _, n := range slices.Sorted(maps.Keys(means)) {
			points = append(points, plotter.XY{X: float64(n), Y: mean(means[n])})
		}
		if len(points) > 0 {
			lines = append(lines, what, points)
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("%s: nothing was measured of %s", file, strings.Join(whats, ", "))
	}
	return save(p, file, lines)
}

// overTime draws the use of a rate limit, window by window, of the first run.
func overTime(r result, file string) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text, p.Y.Min = "Use of a limit of 100 calls per 5 seconds by a backlog", "window", "calls", 0
	p.Legend.Top = false
	var lines []any
	for _, c := range r.Curves {
		if c.Run != 1 {
			continue
		}
		lines = append(lines, strings.TrimPrefix(c.Name, "P8 ")+": answered", points(c.Accepted), strings.TrimPrefix(c.Name, "P8 ")+": refused", points(c.Refused))
	}
	if len(lines) == 0 {
		return fmt.Errorf("%s: no limit was measured", file)
	}
	return save(p, file, lines)
}

func points(values []int) plotter.XYs {
	var xys plotter.XYs
	for i, v := range values {
		xys = append(xys, plotter.XY{X: float64(i + 1), Y: float64(v)})
	}
	return xys
}

func save(p *plot.Plot, file string, lines []any) error {
	if err := plotutil.AddLinePoints(p, lines...); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return p.Save(16*vg.Centimeter, 9*vg.Centimeter, file)
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// row is a figure over all runs, as the page shows it.
type row struct {
	Metric, Objects, What, Floor, Mean, Most, Unit, Ratio, Wanted, Kept string
}

//go:embed page.md
var layout string

// page writes the document.
func page(r result, file string) error {
	parsed, err := template.New("page").Parse(layout)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	type other struct{ Metric, Text string }
	var others []other
	for _, metric := range slices.SortedFunc(maps.Keys(r.Others), func(a, b string) int { return rank(a) - rank(b) }) {
		others = append(others, other{metric, r.Others[metric]})
	}
	err = parsed.Execute(&out, map[string]any{
		"Day": r.At.Format(time.DateOnly), "CPUs": r.CPUs, "Go": r.Go, "Seed": r.Seed, "Runs": r.Runs, "Rows": rows(r), "Others": others, "Failed": r.Failed,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o600)
}

func rank(metric string) (n int) {
	if _, err := fmt.Sscanf(metric, "P%d", &n); err != nil {
		return 0
	}
	return n
}

// rows sums the runs up.
func rows(r result) []row {
	type id struct {
		metric, what string
		n            int
	}
	values, first := map[id][]float64{}, map[id]figure{}
	var order []id
	for _, f := range r.Figures {
		i := id{f.Metric, f.What, f.N}
		if _, seen := first[i]; !seen {
			order, first[i] = append(order, i), f
		}
		values[i] = append(values[i], f.Value)
	}
	slices.SortStableFunc(order, func(a, b id) int { return rank(a.metric) - rank(b.metric) })
	var rows []row
	for _, i := range order {
		f, m := first[i], mean(values[i])
		out := row{Metric: i.metric, What: i.what, Mean: short(m), Most: short(slices.Max(values[i])), Unit: f.Unit}
		if i.n > 0 {
			out.Objects = fmt.Sprint(i.n)
		}
		if f.Floor != nil {
			out.Floor = short(*f.Floor)
			if *f.Floor > 0 {
				out.Ratio = fmt.Sprintf("%.2f", m / *f.Floor)
			}
		}
		switch {
		case f.Want.Least != nil:
			out.Wanted, out.Kept = "≥ "+short(*f.Want.Least), yes(m >= *f.Want.Least)
		case f.Want.Most != nil:
			out.Wanted, out.Kept = "≤ "+short(*f.Want.Most), yes(m <= *f.Want.Most)
		}
		rows = append(rows, out)
	}
	return rows
}

func yes(kept bool) string {
	if kept {
		return "yes"
	}
	return "**no**"
}

func short(v float64) string { return fmt.Sprintf("%.4g", v) }
