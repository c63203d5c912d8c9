// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package screen

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"
)

func terminal(out *bytes.Buffer, columns, rows int) *Screen {
	return &Screen{out: out, now: time.Now, size: func() (int, int, error) { return columns, rows, nil }}
}

func TestATerminalIsRedrawnInPlace(t *testing.T) {
	var out bytes.Buffer
	s := terminal(&out, 10, 24)
	s.Show("one", "a line that is too long")
	s.Show("two")
	s.Say("done\x1b[2J")
	want := "one\na line t…\n" + "\x1b[2A\r\x1b[J" + "two\n" + "\x1b[1A\r\x1b[J" + "done [2J\n"
	if out.String() != want {
		t.Errorf("drew %q, want %q", out.String(), want)
	}
}

func TestLinesThatDoNotFitAreCounted(t *testing.T) {
	var out bytes.Buffer
	terminal(&out, 40, 4).Show("1", "2", "3", "4", "5")
	if want := "1\n2\n... and 3 more\n"; out.String() != want {
		t.Errorf("drew %q, want %q", out.String(), want)
	}
}

func TestATerminalThatLosesItsSizeIsLeftAlone(t *testing.T) {
	var out bytes.Buffer
	s := &Screen{out: &out, size: func() (int, int, error) { return 0, 0, errors.New("gone") }}
	s.Show("one")
	if out.Len() > 0 {
		t.Errorf("drew %q", out.String())
	}
}

func TestElsewhereProgressIsToldNowAndThen(t *testing.T) {
	var out bytes.Buffer
	s := New(&out)
	at := time.Now()
	s.now, s.said = func() time.Time { return at }, at
	for range 5 {
		at = at.Add(time.Second)
		s.Progress(at.Sub(s.said).String())
	}
	s.Show("never drawn")
	s.Clear()
	if want := "2s\n2s\n"; out.String() != want {
		t.Errorf("wrote %q, want %q", out.String(), want)
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	t.Setenv("TERM", "xterm")
	if New(file).Live() {
		t.Error("a file is taken for a terminal")
	}
}
