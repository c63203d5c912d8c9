// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"servicestage.dev/operator/test/bench/figures"
)

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

func (b *bench) record(f figures.Figure) {
	f.Run = b.run
	b.result.Figures = append(b.result.Figures, f)
}

func (b *bench) curve(name string, windows []use) {
	c := figures.Curve{Name: name, Run: b.run}
	for _, u := range windows {
		c.Accepted, c.Refused = append(c.Accepted, u.accepted), append(c.Refused, u.refused)
	}
	b.result.Curves = append(b.result.Curves, c)
}

// newcomerReady is the figure that sizes are compared by.
const newcomerReady = "newcomer: created -> Ready, p50"

// compareSizes records how a newcomer's latency grows from the fewest objects to the most. Its floor is how the API server's
// part of it grows.
func (b *bench) compareSizes() {
	at := map[int]figures.Figure{}
	for _, f := range b.result.Figures {
		if f.Run == b.run && f.What == newcomerReady {
			at[f.N] = f
		}
	}
	few, many := slices.Min(b.sizes), slices.Max(b.sizes)
	if few == many || at[few].Value == 0 || at[many].Value == 0 {
		return
	}
	floor := *at[many].Floor / *at[few].Floor
	b.record(figures.Figure{Metric: "P1", What: fmt.Sprintf("newcomer's latency at %d : at %d", many, few),
		Value: at[many].Value / at[few].Value, Floor: &floor, Want: figures.AtMost(1.2)})
}

// print writes a table.
func (b *bench) print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, strings.ToUpper(strings.Join(figures.Columns(), "\t")))
	for _, r := range figures.Rows(b.result.Figures) {
		fmt.Fprintln(table, strings.Join(r.Cells(), "\t"))
	}
	_ = table.Flush() // standard output
	fmt.Fprintln(out, "\nWhat others have published:")
	for _, metric := range figures.Metrics(others) {
		fmt.Fprintf(out, "  %-4s %s\n", metric, others[metric])
	}
}

// missed names the counts that are not what they have to be.
func (b *bench) missed() error {
	var missed []error
	for _, r := range figures.Rows(b.result.Figures) {
		if r.Want.Gate && !r.Want.Keeps(r.Most) {
			missed = append(missed, fmt.Errorf("%s: %.4g %s, wanted %s", r.Name(), r.Most, r.Unit, r.Want))
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
