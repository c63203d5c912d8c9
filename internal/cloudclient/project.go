// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// projectLookup finds the project's id once and remembers it.
type projectLookup struct {
	// slot is held by the one caller that asks IAM.
	slot chan struct{}

	mu sync.Mutex
	id string
}

func newProjectLookup(id string) *projectLookup {
	return &projectLookup{slot: make(chan struct{}, 1), id: id}
}

func (p *projectLookup) known() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id
}

func (p *projectLookup) remember(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id = id
}

// resolve returns the project's id: as configured, else as the token says, else by name from IAM.
func (c *Client) resolveProject(ctx context.Context, force bool) (string, error) {
	if id := c.project.known(); id != "" {
		return id, nil
	}
	select {
	case c.project.slot <- struct{}{}:
	case <-ctx.Done():
		return "", clouderr.New(clouderr.Transient, "waiting for the project id: %w", ctx.Err())
	}
	defer func() { <-c.project.slot }()
	if id := c.project.known(); id != "" {
		return id, nil
	}
	if err := c.gate.refused(); err != nil && !force {
		return "", err
	}
	id, err := c.auth.project(ctx, force)
	if err == nil && id == "" {
		id, err = c.findProject(ctx, force)
	}
	if err != nil {
		if clouderr.Is(err, clouderr.Unauthorized) {
			c.gate.judge(err, force)
		}
		return "", err
	}
	if !projectPattern.MatchString(id) {
		return "", clouderr.New(clouderr.Transient, "IAM answered with a project id that is none")
	}
	c.project.remember(id)
	return id, nil
}

// findProject asks IAM for the project by its name (API reference 12.5).
func (c *Client) findProject(ctx context.Context, force bool) (string, error) {
	name := c.cfg.ProjectName
	var out struct {
		Projects []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"projects"`
	}
	err := c.call(ctx, Request{
		Operation: "ListProjects", Service: IAM, Method: http.MethodGet, Path: "/v3/projects",
		Query: url.Values{"name": {name}}, Out: &out,
	}, force)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, project := range out.Projects {
		if project.Name == name {
			ids = append(ids, project.ID)
		}
	}
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", clouderr.New(clouderr.Invalid,
			"IAM knows no project named %q that these credentials may see; set projectName or projectID", name)
	default:
		return "", clouderr.New(clouderr.Invalid, "IAM knows %d projects named %q; set projectID to choose between them, or another projectName", len(ids), name)
	}
}
