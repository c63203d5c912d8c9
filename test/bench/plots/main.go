// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command plots makes docs/benchmarks.md and its pictures of the raw figures that test/bench wrote, and keeps those as
// docs/benchmarks.json. Of figures that are not of everything it makes nothing.
//
//	plots bin/bench.json docs
package main

import (
	"bytes"
	"errors"
	"fmt"
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

	"servicestage.dev/operator/test/bench/figures"
)

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
	r, err := figures.Read(args[0])
	if err != nil {
		return err
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
	content, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[1], "benchmarks.json"), content, 0o600)
}

// overN draws figures over the number of objects, the mean of all runs.
func overN(r *figures.Result, file, title, unit string, whats []string) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "objects", unit
	p.X.Scale, p.X.Tick.Marker, p.Y.Min = plot.LogScale{}, plot.LogTicks{Prec: -1}, 0
	p.Legend.Top, p.Legend.Left = true, true
	var lines []any
	rows := figures.Rows(r.Figures)
	slices.SortStableFunc(rows, func(a, b figures.Row) int { return a.N - b.N })
	for _, what := range whats {
		var points plotter.XYs
		for _, row := range rows {
			if row.What == what {
				points = append(points, plotter.XY{X: float64(row.N), Y: row.Mean})
			}
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
func overTime(r *figures.Result, file string) error {
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

//go:embed page.md
var layout string

// page writes the document.
func page(r *figures.Result, file string) error {
	parsed, err := template.New("page").Funcs(template.FuncMap{"columns": figures.Columns, "metrics": figures.Metrics[string], "join": strings.Join}).Parse(layout)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, map[string]any{"Result": r, "Day": r.At.Format(time.DateOnly), "Rows": figures.Rows(r.Figures)})
	if err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o600)
}
