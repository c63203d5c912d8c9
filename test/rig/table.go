// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// Table returns the objects of a resource in a namespace as `kubectl get` prints them. Like kubectl it asks the API
// server for the columns. An empty namespace means all of them.
func Table(ctx context.Context, config *rest.Config, resource schema.GroupVersionResource, namespace string) (string, error) {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	c := rest.CopyConfig(config)
	c.APIPath = "/apis"
	gv := resource.GroupVersion()
	c.GroupVersion = &gv
	c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c.AcceptContentTypes = "application/json;as=Table;v=v1;g=meta.k8s.io"
	client, err := rest.RESTClientFor(c)
	if err != nil {
		return "", err
	}
	var table metav1.Table
	err = client.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource.Resource).
		SetHeader("Accept", c.AcceptContentTypes).Do(ctx).Into(&table)
	if err != nil {
		return "", fmt.Errorf("listing %s: %w", resource.Resource, err)
	}
	return printTable(table)
}

// printTable prints the columns of priority 0, as kubectl does without -o wide.
func printTable(table metav1.Table) (string, error) {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 8, 3, ' ', 0)
	var header []string
	for _, column := range table.ColumnDefinitions {
		if column.Priority == 0 {
			header = append(header, strings.ToUpper(column.Name))
		}
	}
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, row := range table.Rows {
		var cells []string
		for i, cell := range row.Cells {
			if table.ColumnDefinitions[i].Priority != 0 {
				continue
			}
			text := fmt.Sprint(cell)
			if cell == nil || text == "" {
				text = "<none>"
			}
			cells = append(cells, text)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	return out.String(), nil
}
