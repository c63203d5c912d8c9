// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package figures

import (
	"fmt"
	"maps"
	"slices"
)

// Row is a figure over all runs.
type Row struct {
	// Figure of the first run.
	Figure
	Mean, Least, Most float64
	Runs              int
	// MeanFloor is that of the runs which have a floor, Floors of them, and Above is the mean of what they measured.
	MeanFloor, Above float64
	Floors           int
}

// Rows sums figures up, by metric and in the order in which things were measured first.
func Rows(list []Figure) []Row {
	var rows []Row
	for _, f := range list {
		i := slices.IndexFunc(rows, func(r Row) bool { return r.SameAs(f) })
		if i < 0 {
			rows, i = append(rows, Row{Figure: f, Least: f.Value, Most: f.Value}), len(rows)
		}
		rows[i].add(f)
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return rank(a.Metric) - rank(b.Metric) })
	return rows
}

func (r *Row) add(f Figure) {
	r.Mean = meanWith(r.Mean, r.Runs, f.Value)
	r.Runs++
	if f.Floor != nil {
		r.MeanFloor, r.Above = meanWith(r.MeanFloor, r.Floors, *f.Floor), meanWith(r.Above, r.Floors, f.Value)
		r.Floors++
	}
	r.Least, r.Most = min(r.Least, f.Value), max(r.Most, f.Value)
}

// meanWith returns the mean of n values, whose mean is known, and one more.
func meanWith(mean float64, n int, v float64) float64 {
	return (mean*float64(n) + v) / float64(n+1)
}

// Columns of the table that rows are shown in.
func Columns() []string {
	return []string{"Metric", "Objects", "What", "Floor", "Mean", "Most", "Unit", "Ratio", "Wanted", "Kept"}
}

// Cells are the texts of those columns.
func (r Row) Cells() []string {
	objects, floor, ratio, kept := "", "", "", ""
	if r.N > 0 {
		objects = fmt.Sprint(r.N)
	}
	if r.Floors > 0 {
		floor = short(r.MeanFloor)
	}
	if r.MeanFloor > 0 {
		ratio = fmt.Sprintf("%.2f", r.Above/r.MeanFloor)
	}
	if wanted := r.Want.String(); wanted != "" {
		kept = map[bool]string{true: "yes", false: "NO"}[r.Want.Keeps(r.Mean)]
	}
	return []string{r.Metric, objects, r.What, floor, short(r.Mean), short(r.Most), r.Unit, ratio, r.Want.String(), kept}
}

func short(v float64) string { return fmt.Sprintf("%.4g", v) }

// Metrics are the keys of a map, in their order.
func Metrics[V any](of map[string]V) []string {
	return slices.SortedFunc(maps.Keys(of), func(a, b string) int { return rank(a) - rank(b) })
}

// rank is the number of a metric.
func rank(metric string) (n int) {
	if _, err := fmt.Sscanf(metric, "P%d", &n); err != nil {
		return 0
	}
	return n
}
