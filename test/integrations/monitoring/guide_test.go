// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// guide is the page that the tests below hold to what it describes.
func guide(t *testing.T) string {
	t.Helper()
	return read(t, filepath.Join(root, "docs", "guides", "monitoring.md"))
}

func TestQueriesOfTheGuide(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^\| ([^|]+\?) \| (.+) \|$`).FindAllStringSubmatch(guide(t), -1)
	if len(rows) == 0 {
		t.Fatal("the guide has no queries")
	}
	for _, row := range rows {
		queries := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1)
		if len(queries) == 0 {
			t.Errorf("%s has no query", row[1])
		}
		for _, query := range queries {
			checkExpression(t, row[1], query[1])
		}
	}
}

func TestAlertsOfTheGuide(t *testing.T) {
	var listed, wanted []string
	for _, row := range regexp.MustCompile("(?m)^\\| \\[`(\\w+)`\\]\\(../runbooks.md#(\\w+)\\) \\| (\\w+) \\|").FindAllStringSubmatch(guide(t), -1) {
		listed = append(listed, row[1]+" "+row[3]+" "+row[2])
	}
	for _, rule := range alerts(t) {
		wanted = append(wanted, rule.Alert+" "+rule.Labels["severity"]+" "+anchor(rule.Alert))
	}
	if !slices.Equal(listed, wanted) {
		t.Errorf("the guide lists\n%q\nof the alerts\n%q", listed, wanted)
	}
}
