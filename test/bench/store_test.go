// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/test/bench/figures"
)

var here = figures.Settings{CPUs: 2, Go: "go1.26", Seed: 1, Sizes: []int{100, 1000}, Workers: 10, Interval: "30s", Built: "0a1b"}

// begun is a bench whose file holds two runs.
func begun(t *testing.T) *bench {
	b := &bench{out: filepath.Join(t.TempDir(), "bench.json"), runs: 5}
	b.result.Settings, b.result.Runs = here, 2
	for b.run = 1; b.run <= 2; b.run++ {
		b.record(figures.Figure{Metric: "P4", What: "calls", N: 100, Value: float64(b.run), Unit: "calls", Want: figures.Counted(1.1)})
	}
	b.result.Failed = []figures.Failure{{Run: 2, Measurement: "failover", Error: "gave up"}}
	if err := b.write(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContinueKeepsTheRunsOfTheFile(t *testing.T) {
	first := begun(t)
	second := &bench{resume: first.out, out: filepath.Join(t.TempDir(), "other.json"), runs: 5}
	if err := second.prepare(here); err != nil {
		t.Fatal(err)
	}
	kept, err := figures.Read(second.out)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]figures.Result{"gone on with": second.result, "written": *kept} {
		if diff := cmp.Diff(first.result.Figures, got.Figures); diff != "" || got.Runs != 2 {
			t.Errorf("%s: %d runs, want 2; figures (-want +got):\n%s", name, got.Runs, diff)
		}
	}
	if err := second.failed(); err == nil || err.Error() != "run 2: failover: gave up" {
		t.Errorf("what failed in an earlier run: %v", err)
	}
}

func TestContinueRefusesRunsOfSomethingElse(t *testing.T) {
	for want, change := range map[string]func(*figures.Settings){
		"-seed is 1 there and 7 here":                                           func(s *figures.Settings) { s.Seed = 7 },
		"-n is [100 1000] there and [100] here":                                 func(s *figures.Settings) { s.Sizes = []int{100} },
		"-only is  there and scale here":                                        func(s *figures.Settings) { s.Only = "scale" },
		"-quick is false there and true here":                                   func(s *figures.Settings) { s.Quick = true },
		"-interval is 30s there and 5s here":                                    func(s *figures.Settings) { s.Interval = "5s" },
		"-workers is 10 there and 4 here":                                       func(s *figures.Settings) { s.Workers = 4 },
		"the number of CPUs is 2 there and 8 here":                              func(s *figures.Settings) { s.CPUs = 8 },
		"the version of Go is go1.26 there and go1.27 here":                     func(s *figures.Settings) { s.Go = "go1.27" },
		"the checksum of the manager and the simulated cloud is 0a1b there and": func(s *figures.Settings) { s.Built = "ffff" },
	} {
		b, other := &bench{resume: begun(t).out, runs: 5}, here
		change(&other)
		if err := b.prepare(other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestContinueRefusesAFileThatIsComplete(t *testing.T) {
	b := &bench{resume: begun(t).out, runs: 2}
	if err := b.prepare(here); err == nil || !strings.Contains(err.Error(), "it holds 2 runs already, and -runs asks for 2") {
		t.Error(err)
	}
}

// Other machines may be compared with; other intervals may not.
func TestAgainst(t *testing.T) {
	file := begun(t).out
	elsewhere, otherwise := here, here
	elsewhere.CPUs, elsewhere.Go, elsewhere.Built, otherwise.Interval = 8, "go1.27", "ffff", "5s"
	b := &bench{against: file}
	if err := b.prepare(elsewhere); err != nil || b.earlier.Runs != 2 {
		t.Errorf("another machine: %v", err)
	}
	b = &bench{against: file}
	if err := b.prepare(otherwise); err == nil || !strings.Contains(err.Error(), "-interval is 30s there and 5s here") {
		t.Errorf("another interval: %v", err)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(broken, []byte(`{"runs":`), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, b := range map[string]*bench{
		"-against: " + broken: {against: broken}, "-continue: " + broken: {resume: broken},
		"-against: open nowhere": {against: "nowhere"}, "-continue: open nowhere": {resume: "nowhere"},
	} {
		if err := b.prepare(here); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Of a run that was interrupted nothing is kept, of those before it everything.
func TestInterrupted(t *testing.T) {
	b := &bench{out: "bench.json", runs: 5, run: 1}
	if err := b.interrupted().Error(); !strings.Contains(err, "nothing was written") {
		t.Error(err)
	}
	b = begun(t)
	b.run = 3
	b.record(figures.Figure{Metric: "P4", What: "calls", N: 100, Value: 3})
	if err := b.interrupted().Error(); !strings.Contains(err, "holds the 2 of 5 runs that are complete, and -continue "+b.out) {
		t.Error(err)
	}
	kept, err := figures.Read(b.out)
	if err != nil || kept.Runs != 2 || len(kept.Figures) != 2 {
		t.Errorf("kept %+v: %v", kept, err)
	}
}
