// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/bench/figures"
	"servicestage.dev/operator/test/rig"
)

func TestCount(t *testing.T) {
	call := func(method, operation, query string, status int) rig.Call {
		return rig.Call{Method: method, Path: strings.ReplaceAll(operation, "{id}", "x"), Operation: method + " " + operation, Query: query, Status: status}
	}
	got := count([]rig.Call{
		call("GET", "/v3/{project_id}/cas/environments", "limit=100&offset=200&order=asc&order_by=name", 200),
		call("GET", "/v3/{project_id}/cas/environments", "environment_id=e&limit=100", 200),
		call("GET", "/v3/{project_id}/cas/environments/{id}", "", 200),
		call("GET", "/v3/{project_id}/cas/environments/{id}", "", 429),
		call("POST", "/v3/{project_id}/cas/environments", "", 200),
		call("GET", "/v3/projects", "name=region", 200),
	})
	if diff := cmp.Diff(calls{Lists: 1, Looks: 2, Writes: 1, Refused: 1, Logins: 1}, got); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

// Of lists that begin each 27 seconds two or three begin in a minute, and the figure is the same.
func TestPagesPerInterval(t *testing.T) {
	const operation, interval = "GET /v3/{project_id}/cas/environments", 30 * time.Second
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	page := func(after time.Duration, query string) rig.Call {
		return rig.Call{Time: start.Add(after), Method: "GET", Path: operation, Operation: operation, Query: query, Status: 200}
	}
	tail := page(0, "limit=100&offset=99")
	two := []rig.Call{tail, page(time.Second, "limit=100"), page(2*time.Second, "limit=100&offset=99"), page(28*time.Second, "limit=100&offset=0")}
	three := append(slices.Clone(two), page(29*time.Second, "limit=100&offset=99"), page(55*time.Second, "limit=100"))
	for name, log := range map[string][]rig.Call{"two begin": two, "three begin": three} {
		if got, err := pagesPer(interval, log); err != nil || math.Abs(got-2*30.0/27) > 1e-9 {
			t.Errorf("%s: %v pages, %v; want 2 each 27 seconds", name, got, err)
		}
	}
	if got, err := pagesPer(interval, two[:3]); err == nil {
		t.Errorf("one begins: %v pages, want an error", got)
	}
}

func TestEachKeepsThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		lasts := map[string]time.Duration{"quick": time.Second, "slow": 5 * time.Second, "last": 0}
		took, err := each(t.Context(), 2*time.Second, []string{"quick", "slow", "last"}, func(name string) (time.Time, error) {
			at = append(at, time.Since(began))
			return time.Now().Add(lasts[name]), pass(t.Context(), lasts[name])
		})
		if want := []time.Duration{0, 2 * time.Second, 7 * time.Second}; err != nil || !slices.Equal(at, want) {
			t.Errorf("began at %v, %v; want %v", at, err, want)
		}
		if want := []time.Duration{time.Second, 5 * time.Second, 0}; !slices.Equal(took, want) {
			t.Errorf("took %v, want %v", took, want)
		}
	})
}

func TestPerWindow(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var log []rig.Call
	for _, c := range []struct {
		after  time.Duration
		status int
	}{{0, 200}, {time.Second, 429}, {windowTime - 1, 200}, {windowTime, 200}, {2*windowTime + time.Second, 200}} {
		log = append(log, rig.Call{Time: start.Add(c.after), Status: c.status})
	}
	want := []use{{accepted: 2, refused: 1}, {accepted: 1}, {accepted: 1}}
	if diff := cmp.Diff(want, perWindow(log), cmp.AllowUnexported(use{})); diff != "" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for percent, want := range map[int]time.Duration{1: 1, 50: 50, 99: 99, 100: 100} {
		if got := percentile(hundred, percent); got != want {
			t.Errorf("percentile %d is %d, want %d", percent, got, want)
		}
	}
	if got := percentile([]time.Duration{7}, 99); got != 7 {
		t.Errorf("of one it is %d, want 7", got)
	}
}

// Counts gate, in the worst of the runs; times are told.
func TestMissed(t *testing.T) {
	b := &bench{sizes: []int{100}}
	for run, calls := range []float64{1, 1.2} {
		b.run = run + 1
		b.record(figures.Figure{Metric: "P4", What: "calls", N: 100, Value: calls, Want: figures.Counted(1.1)})
		b.record(figures.Figure{Metric: "P1", What: "seconds", N: 100, Value: 60, Want: figures.AtMost(1)})
		b.record(figures.Figure{Metric: "P8", What: "share", Value: 0.5, Want: figures.AtLeast(0.95)})
	}
	err := b.missed()
	if err == nil || !strings.Contains(err.Error(), "P4 with 100 objects: calls: 1.2") || strings.Contains(err.Error(), "P1") || strings.Contains(err.Error(), "P8") {
		t.Errorf("missed: %v", err)
	}
}

func TestParseRefusesAndSaysWhy(t *testing.T) {
	for args, want := range map[string]string{
		"-n=5":       `"5" is not a number of at least 50`,
		"-n=many":    `"many" is not a number`,
		"-only=P99":  "there is no such measurement; there are scale",
		"everything": `unexpected argument "everything"`,
	} {
		if _, err := parse([]string{args}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestAFigureOfNoStormIsNone(t *testing.T) {
	for _, tt := range []struct {
		seconds float64
		left    int
		refused bool
	}{{0.2, 1, false}, {0.2, 0, true}, {30, 0, false}, {30, 1, false}} {
		err := shows(figures.Figure{What: "edit", Value: tt.seconds, Want: figures.AtMost(5)}, tt.left)
		if (err != nil) != tt.refused {
			t.Errorf("%v s with %d left: %v", tt.seconds, tt.left, err)
		}
	}
}

func TestResumed(t *testing.T) {
	for name, tt := range map[string]struct {
		statuses []int
		want     bool
	}{
		"nothing was called":      {nil, false},
		"the limit is not met":    {[]int{200, 200}, false},
		"the window is not over":  {[]int{200, 429}, false},
		"another one was refused": {[]int{429, 200, 429}, false},
		"the limit is known":      {[]int{200, 429, 429, 200}, true},
	} {
		var log []rig.Call
		for _, status := range tt.statuses {
			log = append(log, rig.Call{Status: status})
		}
		if got := resumed(log); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTrackerNotesWhenAnObjectIsReady(t *testing.T) {
	for _, k := range []kind{environments, components} {
		tracked := &tracker{seen: map[string]sighting{}, moved: make(chan struct{})}
		o := k.object("ns", "a")
		o.SetGeneration(2)
		condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: 1}
		o.CommonStatus().Conditions = []metav1.Condition{condition}
		tracked.saw(o)
		if n, _ := tracked.ready("ns", []string{"a"}); n != 0 {
			t.Errorf("%s: Ready in an earlier generation counts", k.name)
		}
		o.CommonStatus().Conditions[0].ObservedGeneration = 2
		tracked.saw(o)
		if n, _ := tracked.ready("ns", []string{"a", "b"}); n != 1 {
			t.Errorf("%s: %d of the objects are Ready, want 1", k.name, n)
		}
	}
}

// The second write is counted only once its watchers have been told, which is when measurements begin.
func TestWritesAreReadOnceTheyAreCounted(t *testing.T) {
	counted := []int{1, 2, 2, 3}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE apiserver_request_total counter\napiserver_request_total{group=%q,resource=\"environments\",verb=\"PATCH\"} %d\n",
			v1alpha1.GroupVersion.Group, counted[0])
		counted = counted[1:]
	}))
	defer server.Close()
	w := &world{plane: &rig.ControlPlane{Config: &rest.Config{Host: server.URL}}}
	got, err := w.apiWrites(t.Context())
	if want := (apiWrites{Objects: 2}); err != nil || got != want {
		t.Errorf("read %+v, %v; want %+v", got, err, want)
	}
}
