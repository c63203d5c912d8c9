// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"servicestage.dev/operator/test/bench/figures"
)

// settings of this invocation.
func (b *bench) settings() (figures.Settings, error) {
	built := sha256.New()
	for _, name := range binaries {
		if err := copyFile(built, filepath.Join(b.bin, filepath.Base(name))); err != nil {
			return figures.Settings{}, err
		}
	}
	return figures.Settings{
		CPUs: runtime.NumCPU(), Go: runtime.Version(), Seed: b.seed, Quick: b.quick, Sizes: b.sizes, Only: strings.Join(b.only, ","),
		Workers: b.workers, Interval: b.interval.String(), Built: fmt.Sprintf("%x", built.Sum(nil)),
	}, nil
}

func copyFile(to io.Writer, name string) error {
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}

// prepare reads the files that the flags name.
func (b *bench) prepare(s figures.Settings) error {
	b.result.Settings = s
	if b.resume != "" {
		begun, err := figures.Read(b.resume)
		if err != nil {
			return fmt.Errorf("-continue: %w", err)
		}
		if err := s.SameSeries(begun.Settings); err != nil {
			return fmt.Errorf("-continue %s: its runs are of something else:\n%w\nmake them the same, or begin anew without -continue", b.resume, err)
		}
		if begun.Runs >= b.runs {
			return fmt.Errorf("-continue %s: it holds %d runs already, and -runs asks for %d", b.resume, begun.Runs, b.runs)
		}
		b.result = *begun
		if err := b.write(); err != nil { // where an interruption says that they are
			return err
		}
	}
	if b.against != "" {
		earlier, err := figures.Read(b.against)
		if err != nil {
			return fmt.Errorf("-against: %w", err)
		}
		if err := s.SameMeaning(earlier.Settings); err != nil {
			return fmt.Errorf("-against %s: its figures are of something else:\n%w\nmake them the same, or compare with nothing by -against=", b.against, err)
		}
		b.earlier = earlier
	}
	return nil
}

// write keeps the raw figures of the runs that are complete. What was in the file stays where this is cut short.
func (b *bench) write() error {
	b.result.At, b.result.Others = b.began.UTC().Truncate(time.Second), others
	content, err := json.MarshalIndent(b.result, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(b.out), 0o750); err != nil {
		return err
	}
	unfinished := b.out + ".part"
	if err := os.WriteFile(unfinished, append(content, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(unfinished, b.out)
}

// interrupted says what is left of the runs, and how to go on.
func (b *bench) interrupted() error {
	if b.result.Runs == 0 {
		return errors.New("interrupted before the first run was complete; nothing was written")
	}
	return fmt.Errorf("interrupted; %s holds the %d of %d runs that are complete, and -continue %s goes on with them", b.out, b.result.Runs, b.runs, b.out)
}
