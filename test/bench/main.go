// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the operator: the built manager, the simulated cloud and a real API server, each from a clean
// state with a fixed seed. It prints a table, writes every figure it saw as JSON, and fails where a count is not what it
// has to be, or worse than it was before (-against). Times are told, and never fail it: machines differ.
//
// docs/benchmarks.md is made of the JSON by test/bench/plots.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"servicestage.dev/operator/test/bench/figures"
	"servicestage.dev/operator/test/rig"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is what the flags say, and what was measured so far.
type bench struct {
	bin     string
	seed    int64
	runs    int
	workers int
	sizes   []int
	only    []string
	// interval of the lists that the manager observes by.
	interval time.Duration
	// window after a crash in which calls are counted.
	window time.Duration
	// samples of a latency; windows of a rate limit that are counted after warmup of them.
	samples, windows, warmup int
	limit                    time.Duration
	quick                    bool
	out, pprof               string
	// resume is a file whose runs are gone on with, against one whose figures are held against those that are measured.
	resume, against string

	began   time.Time
	run     int
	result  figures.Result
	earlier *figures.Result
}

// binaries that are measured.
var binaries = []string{"./cmd/manager", "./cmd/cloudsim"}

// parse reads the flags.
func parse(args []string) (*bench, error) {
	b := &bench{bin: filepath.Join("bin", "bench"), began: time.Now()}
	var sizes, only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&b.quick, "quick", false, "A small version of everything, in four minutes.")
	flags.IntVar(&b.runs, "runs", 0, "How often each measurement is made; 0 is 5, or 1 with -quick.")
	flags.StringVar(&sizes, "n", "", "Numbers of objects, separated by commas; 100,1000,10000, or 100 with -quick.")
	flags.StringVar(&only, "only", "", "Measurements to make, separated by commas: "+strings.Join(measurementNames(), ", ")+"; all where left out.")
	flags.Int64Var(&b.seed, "seed", 1, "Seed of the simulated cloud.")
	flags.IntVar(&b.workers, "workers", 10, "The manager's --max-concurrent-reconciles.")
	flags.DurationVar(&b.interval, "interval", 0, "The manager's --list-interval; 0 is its default, or 5s with -quick.")
	flags.StringVar(&b.pprof, "pprof", "", "Address that the manager of the scale measurement serves Go's profiles on, such as 127.0.0.1:6060.")
	flags.StringVar(&b.out, "out", filepath.Join("bin", "bench.json"), "File that the raw figures are written to, after each run.")
	flags.StringVar(&b.resume, "continue", "", "File with the runs that are complete already; what is missing of -runs is added to them.")
	flags.StringVar(&b.against, "against", "", "File with earlier figures: a count, size or ratio fails that is worse than its mean there by more than 20 %.")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: only flags are taken", flags.Arg(0))
	}
	b.samples, b.windows, b.warmup, b.window, b.limit = 50, 10, 4, time.Minute, 20*time.Minute
	defaults := struct {
		sizes    string
		runs     int
		interval time.Duration
	}{"100,1000,10000", 5, 30 * time.Second}
	if b.quick {
		b.samples, b.windows, b.warmup, b.window, b.limit = 10, 3, 2, 10*time.Second, 3*time.Minute
		defaults.sizes, defaults.runs, defaults.interval = "100", 1, 5*time.Second
	}
	if b.runs < 0 {
		return nil, fmt.Errorf("-runs %d: there is no such number of runs", b.runs)
	}
	if b.runs == 0 {
		b.runs = defaults.runs
	}
	if b.interval == 0 {
		b.interval = defaults.interval
	}
	if sizes == "" {
		sizes = defaults.sizes
	}
	for _, s := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < b.samples {
			return nil, fmt.Errorf("-n %s: %q is not a number of at least %d", sizes, s, b.samples)
		}
		b.sizes = append(b.sizes, n)
	}
	if only != "" {
		b.only = strings.Split(only, ",")
	}
	for _, name := range b.only {
		if !slices.Contains(measurementNames(), name) {
			return nil, fmt.Errorf("-only %q: there is no such measurement; there are %s", name, strings.Join(measurementNames(), ", "))
		}
	}
	return b, nil
}

// measurement is one thing that is measured in worlds of its own.
type measurement struct {
	name string
	make func(*bench, context.Context) error
}

func measurements() []measurement {
	return []measurement{
		{"scale", func(b *bench, ctx context.Context) error {
			for _, n := range b.sizes {
				if err := b.bounded(ctx, func(ctx context.Context) error { return b.scale(ctx, environments, n, steps) }); err != nil {
					return err
				}
			}
			b.compareSizes()
			return nil
		}},
		{"components", func(b *bench, ctx context.Context) error {
			return b.scale(ctx, components, slices.Max(b.sizes), resting)
		}},
		{"stated-limit", func(b *bench, ctx context.Context) error { return b.limits(ctx, false) }},
		{"unstated-limit", func(b *bench, ctx context.Context) error { return b.limits(ctx, true) }},
		{"storm", (*bench).storm},
		{"neighbours", (*bench).neighbours},
		{"configuration", (*bench).configuration},
		{"failover", (*bench).failover},
	}
}

func measurementNames() []string {
	var names []string
	for _, m := range measurements() {
		names = append(names, m.name)
	}
	return names
}

func run(ctx context.Context, args []string) error {
	log.SetLogger(logr.Discard())
	b, err := parse(args)
	if err != nil {
		return err
	}
	b.progress("build")
	if err := rig.Build(ctx, b.bin, binaries...); err != nil {
		return err
	}
	settings, err := b.settings()
	if err != nil {
		return err
	}
	if err := b.prepare(settings); err != nil {
		return err
	}
	for b.run = b.result.Runs + 1; b.run <= b.runs; b.run++ {
		if err := b.measure(ctx); err != nil {
			return err
		}
		b.result.Runs = b.run
		if err := b.write(); err != nil {
			return err
		}
	}
	b.print(os.Stdout)
	return errors.Join(b.failed(), b.missed(), b.regressed(os.Stdout))
}

// measure makes one run of what is to be measured. A measurement that fails is noted; an error means that the run ends.
func (b *bench) measure(ctx context.Context) error {
	for _, m := range measurements() {
		if len(b.only) > 0 && !slices.Contains(b.only, m.name) {
			continue
		}
		err := b.bounded(ctx, func(ctx context.Context) error { return m.make(b, ctx) })
		if ctx.Err() != nil {
			return b.interrupted()
		}
		if err != nil {
			b.progress("%s failed: %v", m.name, err)
			b.result.Failed = append(b.result.Failed, figures.Failure{Run: b.run, Measurement: m.name, Error: err.Error()})
		}
	}
	return nil
}

// bounded ends what hangs.
func (b *bench) bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.limit, fmt.Errorf("gave up after %s", b.limit))
	defer cancel()
	return do(ctx)
}

// progress tells where the run is.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.0fs  run %d of %d  %s\n", time.Since(b.began).Seconds(), max(b.run, 1), b.runs, fmt.Sprintf(format, args...))
}

// closing joins to an error the one of closing something.
func closing(err error, stop func() error) error { return errors.Join(err, stop()) }
