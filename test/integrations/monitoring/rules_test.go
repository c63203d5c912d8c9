// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// runbooks is where runbook_url leads: a path in this repository, which knows of no address that shows it.
const runbooks = "docs/runbooks.md"

// anchor is where a section of that name is on its page.
func anchor(heading string) string { return strings.ToLower(heading) }

func alerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(filepath.Join(root, "config", "prometheus", "rules.yaml"), false, model.LegacyValidation,
		parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	var rules []rulefmt.Rule
	for _, group := range groups.Groups {
		rules = append(rules, group.Rules...)
	}
	if len(rules) == 0 {
		t.Fatal("no rules")
	}
	return rules
}

func TestAlertsNameWhatIsExported(t *testing.T) {
	for _, rule := range alerts(t) {
		if len(checkExpression(t, rule.Alert, rule.Expr)) == 0 {
			t.Errorf("%s names no metric", rule.Alert)
		}
		if severity := rule.Labels["severity"]; !slices.Contains([]string{"critical", "warning", "info"}, severity) {
			t.Errorf("%s: severity %q is none of critical, warning and info", rule.Alert, severity)
		}
		for _, annotation := range []string{"summary", "description"} {
			if rule.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", rule.Alert, annotation)
			}
		}
		if !strings.HasPrefix(rule.Alert, "ServiceStage") {
			t.Errorf("%s could be anybody's: its name begins with ServiceStage", rule.Alert)
		}
	}
}

func TestEveryAlertHasARunbook(t *testing.T) {
	sections := regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(read(t, filepath.Join(root, "docs", "runbooks.md")), -1)
	var explained, wanted []string
	for _, section := range sections {
		explained = append(explained, section[1])
	}
	for _, rule := range alerts(t) {
		wanted = append(wanted, rule.Alert)
		if want := runbooks + "#" + anchor(rule.Alert); rule.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %q, want %q", rule.Alert, rule.Annotations["runbook_url"], want)
		}
	}
	if !slices.Equal(explained, wanted) {
		t.Errorf("docs/runbooks.md explains %q, and the alerts are %q, in this order", explained, wanted)
	}
}

// TestEveryAlertIsTested: promtool runs the tests; here they are counted.
func TestEveryAlertIsTested(t *testing.T) {
	var file struct {
		Tests []struct {
			Name  string `json:"name"`
			Cases []struct {
				Alert    string           `json:"alertname"`
				At       string           `json:"eval_time"`
				Expected []map[string]any `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(root, "config", "prometheus", "rules_test.yaml"))), &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			if at, err := model.ParseDuration(c.At); err != nil || time.Duration(at) == 0 {
				t.Errorf("%s: %s is tested at %q, before anything was evaluated: %v", test.Name, c.Alert, c.At, err)
			}
			if len(c.Expected) > 0 {
				fires[c.Alert] = true
			} else {
				silent[c.Alert] = true
			}
		}
	}
	for _, rule := range alerts(t) {
		if !fires[rule.Alert] || !silent[rule.Alert] {
			t.Errorf("%s is tested firing: %t, silent: %t; want both", rule.Alert, fires[rule.Alert], silent[rule.Alert])
		}
	}
}
