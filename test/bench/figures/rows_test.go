// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package figures

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Floor and ratio are of the runs that measured a floor, here of the calls of the second one.
func TestRows(t *testing.T) {
	floors := []float64{10, 20}
	list := []Figure{
		{Metric: "P10", What: "a", Run: 1, Value: 1},
		{Metric: "P3", What: "took", N: 100, Run: 1, Value: 10, Unit: "s", Floor: &floors[0], Want: AtMost(19)},
		{Metric: "P3", What: "took", N: 200, Run: 1, Value: 3, Unit: "s"},
		{Metric: "P4", What: "share", Run: 1, Value: 0.5, Want: AtLeast(0.9)},
		{Metric: "P4", What: "calls", Run: 1, Value: 10},
		{Metric: "P4", What: "calls", Run: 2, Value: 30, Floor: &floors[0]},
		{Metric: "P3", What: "took", N: 100, Run: 2, Value: 26, Unit: "s", Floor: &floors[1], Want: AtMost(19)},
	}
	got := strings.Join(Columns(), "|")
	for _, r := range Rows(list) {
		got += "\n" + strings.Join(r.Cells(), "|")
	}
	want := `Metric|Objects|What|Floor|Mean|Most|Unit|Ratio|Wanted|Kept
P3|100|took|15|18|26|s|1.20|≤ 19|yes
P3|200|took||3|3|s|||
P4||share||0.5|0.5|||≥ 0.9|NO
P4||calls|10|20|30||3.00||
P10||a||1|1||||`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestMetricsAreInTheirOrder(t *testing.T) {
	if diff := cmp.Diff([]string{"P2", "P9", "P10"}, Metrics(map[string]int{"P10": 1, "P9": 1, "P2": 1})); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
