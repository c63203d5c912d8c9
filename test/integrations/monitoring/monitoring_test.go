// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package monitoring holds alert rules and dashboards against the metrics that the built manager was seen to export.
package monitoring

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// root is the root of the repository.
var root = filepath.Join("..", "..", "..")

// targetLabels are those that Prometheus, or a ServiceMonitor, puts on every series that it scrapes.
var targetLabels = []string{"job", "instance", "namespace", "pod", "container", "service", "endpoint"}

// metric is what the manager exports under a name.
type metric struct {
	kind   string
	labels []string
}

// exported reads what test/e2e saw, and adds the series that a histogram consists of.
func exported(t *testing.T) map[string]metric {
	t.Helper()
	out := map[string]metric{}
	for line := range strings.Lines(read(t, filepath.Join("testdata", "exported.txt"))) {
		fields := strings.Fields(line)
		if len(fields) < 2 || len(fields) > 3 {
			t.Fatalf("exported.txt: %q is not name, type and labels", line)
		}
		m := metric{kind: fields[1]}
		if len(fields) == 3 {
			m.labels = strings.Split(fields[2], ",")
		}
		out[fields[0]] = m
		if m.kind == "histogram" {
			out[fields[0]+"_count"], out[fields[0]+"_sum"] = m, m
			out[fields[0]+"_bucket"] = metric{kind: m.kind, labels: append(slices.Clone(m.labels), "le")}
			delete(out, fields[0])
		}
	}
	if len(out) == 0 {
		t.Fatal("exported.txt is empty: run make update-metrics")
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// judged is what an expression comes to.
type judged struct {
	// metrics that it names.
	metrics []string
	// problems: it is no PromQL, or names a metric or a label that nothing exports.
	problems []string
}

func judge(known map[string]metric, expression string) (j judged) {
	problem := func(format string, args ...any) { j.problems = append(j.problems, fmt.Sprintf(format, args...)) }
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		problem("%v", err)
		return j
	}
	available := slices.Clone(targetLabels) // the labels of all metrics of the expression
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		m, ok := known[selector.Name]
		if !ok {
			problem("nothing exports %q; make update-metrics writes down what is exported", selector.Name)
			return nil
		}
		j.metrics = append(j.metrics, selector.Name)
		available = append(available, m.labels...)
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != model.MetricNameLabel && !slices.Contains(m.labels, matcher.Name) && !slices.Contains(targetLabels, matcher.Name) {
				problem("%s has no label %q", selector.Name, matcher.Name)
			}
		}
		return nil
	})
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		var used []string
		switch n := node.(type) {
		case *parser.AggregateExpr:
			used = n.Grouping
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				used = slices.Concat(n.VectorMatching.MatchingLabels, n.VectorMatching.Include)
			}
		}
		for _, label := range used {
			if !slices.Contains(available, label) {
				problem("no metric of the expression has the label %q", label)
			}
		}
		return nil
	})
	return j
}

// checkExpression fails where an expression has problems, and returns the metrics that it names.
func checkExpression(t *testing.T, where, expression string) []string {
	t.Helper()
	j := judge(exported(t), expression)
	for _, problem := range j.problems {
		t.Errorf("%s: %s:\n%s", where, problem, expression)
	}
	return j.metrics
}

func TestMetricsFollowTheConventions(t *testing.T) {
	for name, m := range exported(t) {
		if !strings.HasPrefix(name, "servicestage_") {
			continue
		}
		if !model.LegacyValidation.IsValidMetricName(name) {
			t.Errorf("%s is no name of a metric", name)
		}
		if (m.kind == "counter") != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s: counters, and no others, end in _total", name, m.kind)
		}
		for _, label := range m.labels {
			if slices.Contains(targetLabels, label) {
				t.Errorf("%s has the label %s, which Prometheus puts on its targets: it would arrive as exported_%[2]s", name, label)
			}
		}
	}
}

func TestJudge(t *testing.T) {
	known := map[string]metric{
		"things":             {kind: "gauge", labels: []string{"kind"}},
		"others":             {kind: "gauge"},
		"took_seconds_sum":   {kind: "histogram"},
		"took_seconds_count": {kind: "histogram"},
	}
	for _, tc := range []struct{ expression, problem string }{
		{`sum by (kind) (things{job="a"}) / on (kind) group_left () others`, ""},
		{"rate(took_seconds_sum[5m]) / rate(took_seconds_count[5m])", ""},
		{"sum(", "unclosed left parenthesis"},
		{"no_such_metric", `nothing exports "no_such_metric"`},
		{"took_seconds", `nothing exports "took_seconds"`},
		{`things{color="red"}`, `things has no label "color"`},
		{"sum by (color) (things)", `no metric of the expression has the label "color"`},
		{"things and on (color) others", `no metric of the expression has the label "color"`},
	} {
		problems := strings.Join(judge(known, tc.expression).problems, "\n")
		if (tc.problem == "") != (problems == "") || !strings.Contains(problems, tc.problem) {
			t.Errorf("%s: %q, want %q", tc.expression, problems, tc.problem)
		}
	}
	got := judge(known, "things / on (kind) group_left () others").metrics
	if want := []string{"things", "others"}; !slices.Equal(got, want) {
		t.Errorf("metrics %q, want %q", got, want)
	}
}

// ours lists the metrics of the operator itself, those of a histogram by its own name.
func ours(names map[string]bool) []string {
	out := map[string]bool{}
	for name := range names {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		if strings.HasPrefix(name, "servicestage_") {
			out[name] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}
