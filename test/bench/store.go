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
)

// settings are what figures depend on.
type settings struct {
	CPUs     int    `json:"cpus"`
	Go       string `json:"go"`
	Seed     int64  `json:"seed"`
	Quick    bool   `json:"quick"`
	Sizes    []int  `json:"sizes"`
	Only     string `json:"only"`
	Workers  int    `json:"workers"`
	Interval string `json:"interval"`
	// Built is a checksum of what is measured, the manager and the simulated cloud.
	Built string `json:"built"`
}

// settings of this invocation.
func (b *bench) settings() (settings, error) {
	built := sha256.New()
	for _, name := range binaries {
		if err := copyFile(built, filepath.Join(b.bin, filepath.Base(name))); err != nil {
			return settings{}, err
		}
	}
	return settings{
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

// sameMeaning returns an error where the figures of a file are of something else, such as intervals of another length.
func (s settings) sameMeaning(file settings) error {
	return errors.Join(
		differs("-quick", s.Quick, file.Quick), differs("-interval", s.Interval, file.Interval), differs("-workers", s.Workers, file.Workers),
	)
}

// sameSeries returns an error where the runs of a file and those of this invocation would not be runs of one thing.
func (s settings) sameSeries(file settings) error {
	return errors.Join(
		s.sameMeaning(file), differs("-seed", s.Seed, file.Seed), differs("-n", s.Sizes, file.Sizes), differs("-only", s.Only, file.Only),
		differs("the number of CPUs", s.CPUs, file.CPUs), differs("the version of Go", s.Go, file.Go),
		differs("the checksum of the manager and the simulated cloud", s.Built, file.Built),
	)
}

func differs(what string, here, there any) error {
	if fmt.Sprint(here) == fmt.Sprint(there) {
		return nil
	}
	return fmt.Errorf("%s is %v there and %v here", what, there, here)
}

// prepare reads the files that the flags name.
func (b *bench) prepare(s settings) error {
	b.result.settings = s
	if b.resume != "" {
		begun, err := read(b.resume)
		if err != nil {
			return fmt.Errorf("-continue: %w", err)
		}
		if err := s.sameSeries(begun.settings); err != nil {
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
		earlier, err := read(b.against)
		if err != nil {
			return fmt.Errorf("-against: %w", err)
		}
		if err := s.sameMeaning(earlier.settings); err != nil {
			return fmt.Errorf("-against %s: its figures are of something else:\n%w\nmake them the same, or compare with nothing by -against=", b.against, err)
		}
		b.earlier = earlier
	}
	return nil
}

// read reads raw figures.
func read(file string) (*result, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &result{}
	if err := json.Unmarshal(content, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
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
