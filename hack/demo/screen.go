// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

const (
	// spinInterval is how often a line that waits is redrawn on a terminal.
	spinInterval = 100 * time.Millisecond
	// sayInterval is how often a step that waits says so where the output is no terminal.
	sayInterval = 2 * time.Second
	// lineWidth is where a live line is cut, so that it never wraps.
	lineWidth = 110
	indent    = "      "
)

// screen prints progress: a live line on a terminal, plain lines elsewhere.
type screen struct {
	out      io.Writer
	terminal bool
	began    time.Time

	mu      sync.Mutex
	started time.Time
	missing string
	stop    chan struct{}
	stopped chan struct{}
}

func newScreen(out *os.File) *screen {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" && os.Getenv("CI") == ""
	return &screen{out: out, terminal: terminal, began: time.Now()}
}

// begin starts a step's lines.
func (s *screen) begin(number, of int, name string) {
	fmt.Fprintf(s.out, "\n[%d/%d] %s\n", number, of, name)
	s.mu.Lock()
	s.started, s.missing = time.Now(), ""
	s.mu.Unlock()
	s.stop, s.stopped = make(chan struct{}), make(chan struct{})
	go s.live()
}

// waiting says what the step still waits for.
func (s *screen) waiting(missing string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing, _, _ = strings.Cut(missing, "\n")
}

// live keeps the step's line up to date until end.
func (s *screen) live() {
	defer close(s.stopped)
	interval := sayInterval
	if s.terminal {
		interval = spinInterval
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for frame := 0; ; frame++ {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		took, missing := time.Since(s.started), s.missing
		s.mu.Unlock()
		if s.terminal {
			line := fmt.Sprintf("%s%c %.1f s  %s", indent, []rune("|/-\\")[frame%4], took.Seconds(), missing)
			fmt.Fprint(s.out, "\r\x1b[K", line[:min(len(line), lineWidth)])
		} else {
			fmt.Fprintf(s.out, "%s... %.0f s  %s\n", indent, took.Seconds(), missing)
		}
	}
}

// end finishes the step's lines.
func (s *screen) end(err error) {
	close(s.stop)
	<-s.stopped
	if s.terminal {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
	word := "seen"
	if err != nil {
		word = "FAILED"
	}
	fmt.Fprintf(s.out, "%s%s after %.1f s\n", indent, word, time.Since(s.started).Seconds())
}

// note prints a line between steps.
func (s *screen) note(text string) { fmt.Fprintln(s.out, text) }

// block prints lines under a title, indented.
func (s *screen) block(title, text string) {
	fmt.Fprintf(s.out, "\n%s%s\n", indent, title)
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		fmt.Fprint(s.out, indent, "  ", line)
	}
}

// summary prints what each step took.
func (s *screen) summary(results []result) {
	fmt.Fprintln(s.out)
	w := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "STEP\tTOOK\tCLOUD CALLS")
	calls := 0
	for _, r := range results {
		calls += r.calls
		fmt.Fprintf(w, "%s\t%.1f s\t%d\n", r.name, r.took.Seconds(), r.calls)
	}
	fmt.Fprintf(w, "all %d steps seen\t%.1f s\t%d\n", len(results), time.Since(s.began).Seconds(), calls)
	if err := w.Flush(); err != nil {
		s.note(err.Error())
	}
}
