// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package figures is what test/bench measures, as it is written down and summed up.
package figures

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// Result is everything that was measured.
type Result struct {
	At time.Time `json:"at"`
	Settings
	// Runs that are complete.
	Runs int `json:"runs"`
	// Failed are the measurements that came to nothing.
	Failed  []Failure `json:"failed,omitempty"`
	Figures []Figure  `json:"figures"`
	Curves  []Curve   `json:"curves,omitempty"`
	// Others is what other operators reach, as published, by metric.
	Others map[string]string `json:"others"`
}

// Settings are what figures depend on.
type Settings struct {
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

// SameMeaning returns an error where the figures of a file are of something else, such as intervals of another length.
func (s Settings) SameMeaning(file Settings) error {
	return errors.Join(
		differs("-quick", s.Quick, file.Quick), differs("-interval", s.Interval, file.Interval), differs("-workers", s.Workers, file.Workers),
	)
}

// SameSeries returns an error where the runs of a file and those of this invocation would not be runs of one thing.
func (s Settings) SameSeries(file Settings) error {
	return errors.Join(
		s.SameMeaning(file), differs("-seed", s.Seed, file.Seed), differs("-n", s.Sizes, file.Sizes), differs("-only", s.Only, file.Only),
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

// Failure is a measurement that came to nothing.
type Failure struct {
	Run         int    `json:"run"`
	Measurement string `json:"measurement"`
	Error       string `json:"error"`
}

// Curve is how something went over time.
type Curve struct {
	Name     string `json:"name"`
	Run      int    `json:"run"`
	Accepted []int  `json:"accepted"`
	Refused  []int  `json:"refused"`
}

// Figure is one value that was measured in one run.
type Figure struct {
	// Metric is the row of the list of what is measured, such as P4.
	Metric string `json:"metric"`
	What   string `json:"what"`
	// N is the number of objects.
	N     int     `json:"n,omitempty"`
	Run   int     `json:"run"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Floor is what no operator can do better than, where that can be told.
	Floor *float64 `json:"floor,omitempty"`
	Want  Limit    `json:"want,omitzero"`
}

// SameAs says whether two figures are of the same thing.
func (f Figure) SameAs(other Figure) bool {
	return f.Metric == other.Metric && f.What == other.What && f.N == other.N
}

// Name of what it is of, such as "P4 with 100 objects: cloud calls per created object".
func (f Figure) Name() string {
	if f.N == 0 {
		return f.Metric + ": " + f.What
	}
	return fmt.Sprintf("%s with %d objects: %s", f.Metric, f.N, f.What)
}

// IsTime says whether the figure depends on how fast the machine is, or on when something happened to be looked at.
func (f Figure) IsTime() bool { return f.Unit == "s" || f.Unit == "intervals" }

// Limit is what a value has to keep.
type Limit struct {
	Least *float64 `json:"least,omitempty"`
	Most  *float64 `json:"most,omitempty"`
	// Gate is set for counts, which fail the run where they are missed.
	Gate bool `json:"gate,omitempty"`
}

// AtMost is the limit of what is to be small.
func AtMost(v float64) Limit { return Limit{Most: &v} }

// AtLeast is the limit of what is to be large.
func AtLeast(v float64) Limit { return Limit{Least: &v} }

// Counted is the limit of a count, which fails the run where it is missed.
func Counted(v float64) Limit { return Limit{Most: &v, Gate: true} }

// Keeps says whether a value is within the limit.
func (l Limit) Keeps(v float64) bool {
	return (l.Least == nil || v >= *l.Least) && (l.Most == nil || v <= *l.Most)
}

func (l Limit) String() string {
	switch {
	case l.Least != nil:
		return fmt.Sprintf("≥ %.4g", *l.Least)
	case l.Most != nil:
		return fmt.Sprintf("≤ %.4g", *l.Most)
	}
	return ""
}

// Read reads raw figures.
func Read(file string) (*Result, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	if err := json.Unmarshal(content, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
