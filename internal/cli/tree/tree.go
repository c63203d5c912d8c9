// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tree shows the objects of a namespace as they belong together, with their conditions.
package tree

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/cluster"
	"servicestage.dev/operator/internal/cli/kinds"
	"servicestage.dev/operator/internal/cli/output"
	"servicestage.dev/operator/internal/reconciler"
)

// Options of a tree.
type Options struct {
	AllNamespaces bool
	Format        output.Format
}

// Node is an object and what belongs to it.
type Node struct {
	Kind       string             `json:"kind"`
	Namespace  string             `json:"namespace"`
	Name       string             `json:"name"`
	ID         string             `json:"id,omitempty"`
	Policy     string             `json:"managementPolicy,omitempty"`
	Facts      []string           `json:"facts,omitempty"`
	Drift      []string           `json:"drift,omitempty"`
	Conditions []metav1.Condition `json:"conditions"`
	// Stale is set while the conditions speak of an older spec.
	Stale    bool    `json:"stale,omitempty"`
	Children []*Node `json:"children,omitempty"`
}

// Run shows the tree.
func Run(ctx context.Context, c *cluster.Cluster, o Options, streams genericiooptions.IOStreams) error {
	namespace := c.Namespace
	if o.AllNamespaces {
		namespace = ""
	}
	objects := map[string][]reconciler.Object{}
	found := 0
	for _, k := range kinds.All() {
		list, err := k.List(ctx, c.Client, namespace)
		if err != nil {
			return err
		}
		objects[k.Name] = list
		found += len(list)
	}
	roots := Build(objects)
	if o.Format != output.Text {
		return output.Write(streams.Out, o.Format, map[string]any{"objects": roots})
	}
	if found == 0 {
		where := "in namespace " + namespace
		if o.AllNamespaces {
			where = "in any namespace"
		}
		fmt.Fprintf(streams.ErrOut, "No objects found %s.\n", where)
		return nil
	}
	return Print(streams.Out, roots)
}

// Build puts the objects under those that they belong to. What belongs to nothing that is there is a root.
func Build(objects map[string][]reconciler.Object) []*Node {
	nodes := map[string]*Node{}
	key := func(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }
	for _, k := range kinds.All() {
		for _, obj := range objects[k.Name] {
			nodes[key(k.Name, obj.GetNamespace(), obj.GetName())] = node(k, obj)
		}
	}
	roots := []*Node{}
	for _, k := range kinds.All() {
		for _, obj := range objects[k.Name] {
			n := nodes[key(k.Name, obj.GetNamespace(), obj.GetName())]
			kind, name := k.Parent(obj)
			if parent, there := nodes[key(kind, obj.GetNamespace(), name)]; there && name != "" {
				parent.Children = append(parent.Children, n)
				continue
			}
			roots = append(roots, n)
		}
	}
	slices.SortStableFunc(roots, func(a, b *Node) int { return strings.Compare(a.Namespace, b.Namespace) })
	return roots
}

func node(k kinds.Kind, obj reconciler.Object) *Node {
	status := obj.CommonStatus()
	n := &Node{
		Kind: k.Name, Namespace: obj.GetNamespace(), Name: obj.GetName(), ID: status.ID, Facts: k.Facts(obj),
		Drift: status.Drift, Conditions: status.Conditions, Stale: status.ObservedGeneration != obj.GetGeneration(),
	}
	if p := obj.CommonSpec().ManagementPolicy; p != v1alpha1.ManagementPolicyManage {
		n.Policy = string(p)
	}
	if n.Conditions == nil {
		n.Conditions = []metav1.Condition{}
	}
	return n
}

// Print prints the tree as a table.
func Print(out io.Writer, roots []*Node) error {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tREADY\tREASON\tSYNCED\tSTATUS")
	for start := 0; start < len(roots); {
		end := start
		for end < len(roots) && roots[end].Namespace == roots[start].Namespace {
			end++
		}
		fmt.Fprintf(w, "namespace/%s\t\t\t\t\n", roots[start].Namespace)
		printChildren(w, "", roots[start:end])
		start = end
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		if _, err := io.WriteString(out, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func printChildren(w io.Writer, indent string, nodes []*Node) {
	for i, n := range nodes {
		branch, further := "├─ ", "│  "
		if i == len(nodes)-1 {
			branch, further = "└─ ", "   "
		}
		fmt.Fprintln(w, indent+branch+n.row())
		printChildren(w, indent+further, n.Children)
	}
}

// row is an object's line.
func (n *Node) row() string {
	ready, reason := n.condition(v1alpha1.ConditionReady)
	synced, _ := n.condition(v1alpha1.ConditionSynced)
	return strings.Join([]string{strings.ToLower(n.Kind) + "/" + n.Name, ready, reason, synced, output.Printable(n.status())}, "\t")
}

func (n *Node) condition(name string) (status, reason string) {
	c := meta.FindStatusCondition(n.Conditions, name)
	if c == nil {
		return "-", "-"
	}
	return string(c.Status), c.Reason
}

// longest is how much a row says of what is wrong.
const longest = 160

// status says the facts, and what is wrong.
func (n *Node) status() string {
	parts := slices.Clone(n.Facts)
	if n.Policy != "" {
		parts = append(parts, n.Policy)
	}
	if n.Stale {
		parts = append(parts, "the spec was not looked at yet")
	}
	if meta.IsStatusConditionTrue(n.Conditions, v1alpha1.ConditionPaused) {
		parts = append(parts, "paused")
	}
	if len(n.Drift) > 0 {
		parts = append(parts, "differs in "+strings.Join(n.Drift, ", "))
	}
	if c := meta.FindStatusCondition(n.Conditions, v1alpha1.ConditionReady); c != nil && c.Status != metav1.ConditionTrue && c.Message != "" {
		parts = append(parts, c.Message)
	}
	text := []rune(strings.Join(parts, ", "))
	if len(text) > longest {
		return string(text[:longest-1]) + "…"
	}
	return string(text)
}
