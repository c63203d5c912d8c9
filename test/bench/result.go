// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// result is everything that was measured.
type result struct {
	At time.Time `json:"at"`
	settings
	// Runs that are complete.
	Runs int `json:"runs"`
	// Failed are the measurements that came to nothing.
	Failed  []failure `json:"failed,omitempty"`
	Figures []figure  `json:"figures"`
	Curves  []curve   `json:"curves,omitempty"`
	// Others is what other operators reach, as published, by metric.
	Others map[string]string `json:"others"`
}

// others is what others have published of themselves, and reports about them.
var others = map[string]string{
	"P1":  "14 to 19 minutes at 1,000 objects (Aiven's operator), 40 and more at 6,000 (Datadog's)",
	"P2":  "9 minutes for a delete (upjet)",
	"P3":  "10,000 objects on 8 CPUs: 79 s at most, 775 to 1186 MiB (Upbound's provider-aws)",
	"P4":  "3 calls (ACK, Crossplane), 2 (Terraform)",
	"P5":  "one read an object",
	"P6":  "one write an object and hour (ASO)",
	"P7":  "4 writes (Crossplane)",
	"P8":  "sleeps of 1, 2, 4 ... minutes (Terraform)",
	"P9":  "one bucket for all accounts",
	"P11": "one read an object",
	"P13": "79 to 121 KiB",
	"P14": "10 minutes to 10 hours",
	"P15": "15 to 17 s",
}

// figure is one value that was measured in one run.
type figure struct {
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
	Want  limit    `json:"want,omitzero"`
}

// failure is a measurement that came to nothing.
type failure struct {
	Run         int    `json:"run"`
	Measurement string `json:"measurement"`
	Error       string `json:"error"`
}

// sameAs says whether two figures are of the same thing.
func (f figure) sameAs(other figure) bool {
	return f.Metric == other.Metric && f.What == other.What && f.N == other.N
}

// name of what it is of, such as "P4 with 100 objects: cloud calls per created object".
func (f figure) name() string {
	if f.N == 0 {
		return f.Metric + ": " + f.What
	}
	return fmt.Sprintf("%s with %d objects: %s", f.Metric, f.N, f.What)
}

// isTime says whether the figure depends on how fast the machine is, or on when something happened to be looked at.
func (f figure) isTime() bool { return f.Unit == "s" || f.Unit == "intervals" }

// curve is how something went over time.
type curve struct {
	Name     string `json:"name"`
	Run      int    `json:"run"`
	Accepted []int  `json:"accepted"`
	Refused  []int  `json:"refused"`
}

// limit is what a value has to keep.
type limit struct {
	Least *float64 `json:"least,omitempty"`
	Most  *float64 `json:"most,omitempty"`
	// Gate is set for counts, which fail the run where they are missed.
	Gate bool `json:"gate,omitempty"`
}

func atMost(v float64) limit  { return limit{Most: &v} }
func atLeast(v float64) limit { return limit{Least: &v} }
func counted(v float64) limit { return limit{Most: &v, Gate: true} }

// keeps says whether a value is within the limit.
func (l limit) keeps(v float64) bool {
	return (l.Least == nil || v >= *l.Least) && (l.Most == nil || v <= *l.Most)
}

func (l limit) String() string {
	switch {
	case l.Least != nil:
		return fmt.Sprintf(">= %.4g", *l.Least)
	case l.Most != nil:
		return fmt.Sprintf("<= %.4g", *l.Most)
	}
	return ""
}

func (b *bench) record(f figure) {
	f.Run = b.run
	b.result.Figures = append(b.result.Figures, f)
}

func (b *bench) curve(name string, windows []use) {
	c := curve{Name: name, Run: b.run}
	for _, u := range windows {
		c.Accepted, c.Refused = append(c.Accepted, u.accepted), append(c.Refused, u.refused)
	}
	b.result.Curves = append(b.result.Curves, c)
}

// compareSizes records how a newcomer's latency grows from the fewest objects to the most.
func (b *bench) compareSizes() {
	const what = "newcomer: created -> Ready, p50"
	at := map[int]float64{}
	for _, f := range b.result.Figures {
		if f.Run == b.run && f.What == what {
			at[f.N] = f.Value
		}
	}
	few, many := slices.Min(b.sizes), slices.Max(b.sizes)
	if few != many && at[few] > 0 && at[many] > 0 {
		b.record(figure{Metric: "P1", What: fmt.Sprintf("newcomer's latency at %d : at %d", many, few), Value: at[many] / at[few], Want: atMost(1.2)})
	}
}

// row is a figure over all runs.
type row struct {
	figure
	mean, least, most float64
	runs              int
}

// rowsOf sums figures up, in the order in which things were measured first.
func rowsOf(figures []figure) []row {
	var rows []row
	for _, f := range figures {
		i := slices.IndexFunc(rows, func(r row) bool { return r.sameAs(f) })
		if i < 0 {
			rows, i = append(rows, row{figure: f, least: f.Value, most: f.Value}), len(rows)
		}
		r := &rows[i]
		r.mean = (r.mean*float64(r.runs) + f.Value) / float64(r.runs+1)
		r.least, r.most = min(r.least, f.Value), max(r.most, f.Value)
		r.runs++
	}
	slices.SortStableFunc(rows, func(a, b row) int { return rank(a.Metric) - rank(b.Metric) })
	return rows
}

// rank is the number of a metric.
func rank(metric string) (n int) {
	if _, err := fmt.Sscanf(metric, "P%d", &n); err != nil {
		return 0
	}
	return n
}

// print writes a table.
func (b *bench) print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "METRIC\tOBJECTS\tWHAT\tFLOOR\tMEAN\tMOST\tUNIT\tRATIO\tWANTED\tKEPT")
	for _, r := range rowsOf(b.result.Figures) {
		kept := ""
		if r.Want.String() != "" {
			kept = map[bool]string{true: "yes", false: "NO"}[r.Want.keeps(r.mean)]
		}
		objects := ""
		if r.N > 0 {
			objects = fmt.Sprint(r.N)
		}
		floor, ratio := "", ""
		if r.Floor != nil {
			floor = fmt.Sprintf("%.4g", *r.Floor)
		}
		if r.Floor != nil && *r.Floor > 0 {
			ratio = fmt.Sprintf("%.2f", r.mean / *r.Floor)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.4g\t%.4g\t%s\t%s\t%s\t%s\n", r.Metric, objects, r.What, floor, r.mean, r.most, r.Unit, ratio, r.Want, kept)
	}
	_ = table.Flush() // standard output
	fmt.Fprintln(out, "\nWhat others have published:")
	for _, metric := range slices.SortedFunc(maps.Keys(others), func(a, b string) int { return rank(a) - rank(b) }) {
		fmt.Fprintf(out, "  %-4s %s\n", metric, others[metric])
	}
}

// missed names the counts that are not what they have to be.
func (b *bench) missed() error {
	var missed []error
	for _, r := range rowsOf(b.result.Figures) {
		if r.Want.Gate && !r.Want.keeps(r.most) {
			missed = append(missed, fmt.Errorf("%s: %.4g %s, wanted %s", r.name(), r.most, r.Unit, r.Want))
		}
	}
	return errors.Join(missed...)
}

// failed names the measurements that came to nothing.
func (b *bench) failed() error {
	var failed []error
	for _, f := range b.result.Failed {
		failed = append(failed, fmt.Errorf("run %d: %s: %s", f.Run, f.Measurement, f.Error))
	}
	return errors.Join(failed...)
}
