// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"context"
	"encoding/json"
	"net/http"
)

// RuntimeStack is a technology stack that components can run on (API reference 5.4.1, table 5-246).
type RuntimeStack struct {
	// ID is empty in clouds that do not tell.
	ID      string
	Name    string
	Version string
	// Type is "Nodejs", "Java", "Tomcat", "Python", "Docker" or "Php".
	Type string
	// DeployMode is "container" or "virtualmachine".
	DeployMode string
	// Status is "Supported", "Deprecated" or "Disable".
	Status string
	// URL and Description are empty in clouds that do not tell.
	URL, Description string
	// System says that the stack comes with the cloud.
	System bool
}

// UnmarshalJSON reads a record of the list.
func (s *RuntimeStack) UnmarshalJSON(data []byte) error {
	var record struct {
		ID          text    `json:"id"`
		Name        text    `json:"name"`
		Version     text    `json:"version"`
		Type        text    `json:"type"`
		DeployMode  text    `json:"deploy_mode"`
		Status      text    `json:"status"`
		URL         text    `json:"url"`
		Description text    `json:"description"`
		System      boolean `json:"system"`
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return err
	}
	*s = RuntimeStack{
		ID: string(record.ID), Name: string(record.Name), Version: string(record.Version), Type: string(record.Type),
		DeployMode: string(record.DeployMode), Status: string(record.Status), URL: string(record.URL),
		Description: string(record.Description), System: bool(record.System),
	}
	return nil
}

// ListRuntimeStacks returns the technology stacks of the project (5.4.1), also those that are deprecated. The API does
// not page.
func (c *Client) ListRuntimeStacks(ctx context.Context) ([]RuntimeStack, error) {
	var out struct {
		RuntimeStacks []*RuntimeStack `json:"runtimestacks"`
	}
	if err := c.do(ctx, "ListRuntimeStacks", http.MethodGet, "/runtimestacks", nil, nil, &out); err != nil {
		return nil, err
	}
	var stacks []RuntimeStack
	for _, stack := range present(out.RuntimeStacks) {
		stacks = append(stacks, *stack)
	}
	return stacks, nil
}
