// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what of a Grafana dashboard is checked.
type dashboard struct {
	UID        string  `json:"uid"`
	Title      string  `json:"title"`
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
}

type panel struct {
	ID      int `json:"id"`
	GridPos struct {
		H int `json:"h"`
		W int `json:"w"`
		X int `json:"x"`
		Y int `json:"y"`
	} `json:"gridPos"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	Targets []struct {
		Expr   string `json:"expr"`
		Legend string `json:"legendFormat"`
	} `json:"targets"`
}

func grafana(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, filepath.Join(root, "config", "grafana", "servicestage-operator.json"))), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("no panels")
	}
	return d
}

var variable = regexp.MustCompile(`\$\{?(\w+)\}?`)

// builtIn are Grafana's own variables, with what takes their place in a test.
var builtIn = map[string]string{"__rate_interval": "5m", "__range": "1h"}

func TestDashboardShowsWhatIsExported(t *testing.T) {
	d := grafana(t)
	variables := maps.Clone(builtIn)
	for _, v := range d.Templating.List {
		variables[v.Name] = "x"
		if v.Type != "query" {
			continue
		}
		parts := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(v.Definition)
		if parts == nil {
			t.Errorf("variable %s: %q is not label_values(metric, label)", v.Name, v.Definition)
			continue
		}
		checkExpression(t, "variable "+v.Name, "sum by ("+parts[2]+") ("+parts[1]+")")
	}
	shown := map[string]bool{}
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			expression := variable.ReplaceAllStringFunc(target.Expr, func(found string) string {
				name := strings.Trim(found, "${}")
				value, ok := variables[name]
				if !ok {
					t.Errorf("panel %q: there is no variable %s", p.Title, found)
				}
				return value
			})
			for _, name := range checkExpression(t, "panel "+p.Title, expression) {
				shown[name] = true
			}
			for _, label := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(target.Legend, -1) {
				if grouped := regexp.MustCompile(`by \([^)]*\b` + label[1] + `\b`); strings.Contains(expression, " by (") && !grouped.MatchString(expression) {
					t.Errorf("panel %q: the legend names %s, which the query drops", p.Title, label[1])
				}
			}
		}
	}
	all := map[string]bool{}
	for name := range exported(t) {
		all[name] = true
	}
	if want, got := ours(all), ours(shown); !slices.Equal(want, got) {
		t.Errorf("the dashboard shows\n%q\nof the metrics\n%q", got, want)
	}
}

func TestDashboardIsLaidOut(t *testing.T) {
	d := grafana(t)
	ids := map[int]string{}
	for i, p := range d.Panels {
		if p.Title == "" {
			t.Errorf("panel %d has no title", p.ID)
		}
		if other, ok := ids[p.ID]; ok {
			t.Errorf("panels %q and %q have the id %d", other, p.Title, p.ID)
		}
		ids[p.ID] = p.Title
		g := p.GridPos
		if g.X < 0 || g.W < 1 || g.X+g.W > 24 || g.H < 1 {
			t.Errorf("panel %q does not fit on the grid: %+v", p.Title, g)
		}
		for _, other := range d.Panels[:i] {
			o := other.GridPos
			if g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				t.Errorf("panels %q and %q overlap", other.Title, p.Title)
			}
		}
	}
}
