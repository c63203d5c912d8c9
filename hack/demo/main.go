// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demo shows the operator at work: a real control plane, a simulated cloud and the built manager as separate
// processes on free loopback ports. It exits 0 only where every step was really observed, and leaves nothing running.
//
// With --stay it stops once the samples, a Component and a MicroserviceEngine among them, are Ready and keeps everything up
// until Ctrl-C. With --empty nothing is installed: a cluster to install the operator in, whose Pods run the built manager.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

func main() {
	stay := flag.Bool("stay", false, "keep everything running once the samples are Ready, and print how to reach it")
	empty := flag.Bool("empty", false, "the same without the operator and the samples: a cluster to install it in")
	bin := flag.String("bin", "", "`folder` with the built manager and cloudsim; built first where left out")
	deadline := flag.Duration("deadline", 3*time.Minute, "give up after this long")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, newScreen(os.Stdout), *bin, *stay, *empty, *deadline); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run plays the steps and stops everything at the end, however it comes about.
func run(ctx context.Context, screen *screen, bin string, stay, empty bool, deadline time.Duration) (err error) {
	w := &world{screen: screen}
	defer func() {
		screen.note("Stopping everything")
		err = errors.Join(err, w.stack.Stop())
	}()
	if err := w.prepare(ctx, bin); err != nil {
		return err
	}
	limited, cancel := context.WithTimeoutCause(ctx, deadline, fmt.Errorf("not done after %v", deadline))
	defer cancel()

	steps := slices.Concat(startSteps(), sampleSteps(), deploySteps(), engineSteps())
	switch {
	case empty:
		steps = emptySteps()
	case !stay:
		steps = slices.Concat(steps, editSteps(), releaseSteps(), deletionSteps())
	}
	if err := play(limited, w, steps); err != nil {
		return err
	}
	if stay || empty {
		return w.stay(ctx)
	}
	return nil
}
