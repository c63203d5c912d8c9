// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package screen shows progress: lines that are redrawn on a terminal that can do that, plain lines elsewhere.
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"servicestage.dev/operator/internal/cli/output"
)

// sayInterval is how often progress is told where lines cannot be redrawn.
const sayInterval = 2 * time.Second

// Screen is where progress is shown. It is used by one goroutine.
type Screen struct {
	out io.Writer
	// size of the terminal in columns and rows; nil where lines cannot be redrawn.
	size  func() (columns, rows int, err error)
	now   func() time.Time
	drawn int
	said  time.Time
}

// New returns the screen behind out. A terminal that is dumb, or does not tell its size, gets plain lines. No colours are
// used.
func New(out io.Writer) *Screen {
	s := &Screen{out: out, now: time.Now, said: time.Now()}
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return s
	}
	if name := os.Getenv("TERM"); name == "" || name == "dumb" {
		return s
	}
	size := func() (columns, rows int, err error) { return term.GetSize(int(file.Fd())) }
	if columns, rows, err := size(); err != nil || columns < 1 || rows < 2 {
		return s
	}
	s.size = size
	return s
}

// Live says whether lines can be redrawn.
func (s *Screen) Live() bool { return s.size != nil }

// Show draws lines in place of those that were drawn before. It does nothing where lines cannot be redrawn.
func (s *Screen) Show(lines ...string) {
	if !s.Live() {
		return
	}
	columns, rows, err := s.size()
	if err != nil || columns < 1 || rows < 2 {
		return // the window is going away, or too small to say anything
	}
	if more := len(lines) - (rows - 1); more > 0 {
		lines = append(append([]string{}, lines[:rows-2]...), fmt.Sprintf("... and %d more", more+1))
	}
	var b strings.Builder
	b.WriteString(s.wipe())
	for _, line := range lines {
		b.WriteString(cut(output.Printable(line), columns-1) + "\n")
	}
	fmt.Fprint(s.out, b.String())
	s.drawn = len(lines)
}

// Progress shows one line, which takes the place of the one before; as a plain line every two seconds where lines cannot be
// redrawn.
func (s *Screen) Progress(line string) {
	if s.Live() {
		s.Show(line)
		return
	}
	if now := s.now(); now.Sub(s.said) >= sayInterval {
		s.said = now
		fmt.Fprintln(s.out, output.Printable(line))
	}
}

// Say writes a line that stays, in place of what was drawn.
func (s *Screen) Say(line string) {
	s.Clear()
	fmt.Fprintln(s.out, output.Printable(line))
}

// Clear takes away what was drawn.
func (s *Screen) Clear() {
	fmt.Fprint(s.out, s.wipe())
	s.drawn = 0
}

// wipe moves to the first line that was drawn and clears everything from there.
func (s *Screen) wipe() string {
	if s.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", s.drawn)
}

func cut(line string, columns int) string {
	runes := []rune(line)
	if len(runes) <= columns {
		return line
	}
	return string(runes[:max(columns-1, 0)]) + "…"
}
