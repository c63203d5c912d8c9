// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/test/bench/figures"
)

// measured is a result of two runs, with a figure for each picture.
func measured() *figures.Result {
	r := &figures.Result{
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Runs: 2,
		Settings: figures.Settings{CPUs: 2, Go: "go1.26", Seed: 1},
		Failed:   []figures.Failure{{Run: 2, Measurement: "failover", Error: "gave up"}},
		Others:   map[string]string{"P13": "79 KiB", "P5": "one read an object"},
	}
	for run := range 2 {
		for _, n := range []int{1000, 100} {
			value := float64(n * (run + 1))
			r.Figures = append(r.Figures,
				figures.Figure{Metric: "P5", What: "list pages per interval", N: n, Run: run + 1, Value: value, Unit: "calls", Want: figures.Counted(200)},
				figures.Figure{Metric: "P1", What: "newcomer: created -> Ready, p50", N: n, Run: run + 1, Value: value, Unit: "s"},
				figures.Figure{Metric: "P13", What: "heap at rest", N: n, Run: run + 1, Value: value, Unit: "MiB"},
			)
		}
		r.Curves = append(r.Curves, figures.Curve{Name: "P8 stated", Run: run + 1, Accepted: []int{98, 100}, Refused: []int{2, 0}})
	}
	return r
}

// made writes a result down and makes the documents of it.
func made(t *testing.T, r *figures.Result) (docs string, err error) {
	t.Helper()
	docs = t.TempDir()
	content, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bench.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return docs, run([]string{file, docs})
}

func TestThePageHoldsWhatWasMeasured(t *testing.T) {
	docs, err := made(t, measured())
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(docs, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(page), "\n")
	for _, want := range []string{
		"The figures below are from 2026-01-02: 2 runs on 2 CPUs, go1.26, seed 1. *Floor* is what no operator can do better",
		"| Metric | Objects | What | Floor | Mean | Most | Unit | Ratio | Wanted | Kept |",
		"|---|---|---|---|---|---|---|---|---|---|",
		"| P1 | 100 | newcomer: created -> Ready, p50 |  | 150 | 200 | s |  |  |  |",
		"| P5 | 1000 | list pages per interval |  | 1500 | 2000 | calls |  | ≤ 200 | NO |",
		"| P5 | 100 | list pages per interval |  | 150 | 200 | calls |  | ≤ 200 | yes |",
		"**Failed** in run 2: failover, gave up",
		"| P13 | 79 KiB |",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the page has no line %q:\n%s", want, page)
		}
	}
	for picture, legend := range map[string]string{
		"latency.svg": "newcomer: created", "calls.svg": "list pages per interval", "memory.svg": "heap at rest", "limit.svg": "stated: answered",
	} {
		content, err := os.ReadFile(filepath.Join(docs, "images", picture))
		if err != nil || !strings.Contains(string(content), legend) {
			t.Errorf("%s does not say %q: %v", picture, legend, err)
		}
	}
	again, err := figures.Read(filepath.Join(docs, "benchmarks.json"))
	if err != nil || len(again.Figures) != len(measured().Figures) {
		t.Errorf("the raw figures are not kept as they are: %v, %v", again, err)
	}
}

func TestPartOfTheFiguresMakesNoPage(t *testing.T) {
	for name, change := range map[string]func(*figures.Result){
		"quick": func(r *figures.Result) { r.Quick = true },
		"only":  func(r *figures.Result) { r.Only = "scale" },
	} {
		t.Run(name, func(t *testing.T) {
			r := measured()
			change(r)
			docs, err := made(t, r)
			entries, _ := os.ReadDir(docs) // its absence shows below
			if err != nil || len(entries) > 0 {
				t.Errorf("made %v, %v", entries, err)
			}
		})
	}
}

func TestWhatWasNotMeasuredIsNamed(t *testing.T) {
	for want, change := range map[string]func(*figures.Result){
		"limit.svg: no limit was measured":          func(r *figures.Result) { r.Curves = nil },
		"latency.svg: nothing was measured of newc": func(r *figures.Result) { r.Figures = nil },
	} {
		r := measured()
		change(r)
		if _, err := made(t, r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
