// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planning

import (
	"fmt"
	"strings"

	"servicestage.dev/operator/internal/cli/output"
	"servicestage.dev/operator/internal/plan"
)

// text is the plan as people read it.
func (p Plan) text() string {
	var b strings.Builder
	for _, e := range p.Objects {
		fmt.Fprintf(&b, "%s/%s: %s\n", strings.ToLower(e.Kind), e.Name, output.Printable(e.headline()))
		for _, c := range e.Changes {
			fmt.Fprintf(&b, "    %s\n", output.Printable(c.line()))
		}
		if e.Marks {
			b.WriteString("    + the claim, a label by which the operator recognises its own\n")
		}
	}
	if len(p.Objects) > 0 {
		b.WriteString("\n")
	}
	b.WriteString(p.summary())
	return b.String()
}

// headline says what would be done.
func (e Entry) headline() string {
	said := map[string]string{
		string(plan.Nothing): "nothing would change", string(plan.Create): "would be created", string(plan.Update): "would be changed",
		string(plan.Adopt): "would be adopted", string(plan.Delete): "would be deleted", string(plan.Release): "would be left to others",
		string(plan.Working): "at work", string(plan.Blocked): "blocked", unknown: "cannot tell",
	}[e.Action]
	if e.Held != "" && len(e.Changes) > 0 {
		said = "differs, and nothing would change"
	}
	if e.ID != "" && e.Action == string(plan.Adopt) {
		said += " (id " + e.ID + ")"
	}
	if e.Held != "" {
		said += ": " + e.Held
	}
	for _, more := range []string{e.Message, e.Error} {
		if more != "" {
			said += ": " + more
		}
	}
	return said
}

// line is a field and its values.
func (c Change) line() string {
	switch {
	case c.From == "" && c.To == "":
		return "~ " + c.Path
	case c.From == "":
		return fmt.Sprintf("+ %s: %s", c.Path, c.To)
	case c.To == "":
		return fmt.Sprintf("- %s: %s", c.Path, c.From)
	default:
		return fmt.Sprintf("~ %s: %s -> %s", c.Path, c.From, c.To)
	}
}

// summary counts.
func (p Plan) summary() string {
	var parts []string
	for _, a := range []struct{ action, words string }{
		{string(plan.Create), "to create"}, {string(plan.Adopt), "to adopt"}, {string(plan.Update), "to change"}, {string(plan.Delete), "to delete"},
		{string(plan.Release), "to leave to others"}, {string(plan.Working), "at work"}, {string(plan.Nothing), "unchanged"},
		{string(plan.Blocked), "blocked"}, {unknown, "unknown"},
	} {
		if n := p.Summary[a.action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, a.words))
		}
	}
	if len(parts) == 0 {
		return "No objects.\n"
	}
	return "Plan: " + strings.Join(parts, ", ") + ".\n"
}
