// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"servicestage.dev/operator/internal/cloudclient"
)

// Environment is an environment as the cloud reports it (API reference 5.1, tables 5-5, 5-12 and 5-28).
type Environment struct {
	ID                  string `json:"id"`
	Name                string `json:"name"`
	Description         string `json:"description"`
	ProjectID           string `json:"project_id"`
	EnterpriseProjectID string `json:"enterprise_project_id"`
	// DeployMode is "virtualmachine", "container" or "mixed".
	DeployMode string `json:"deploy_mode"`
	VPCID      string `json:"vpc_id"`
	Creator    string `json:"creator"`
	// CreateTime and UpdateTime are milliseconds since the epoch.
	CreateTime int64   `json:"create_time"`
	UpdateTime int64   `json:"update_time"`
	Labels     []Label `json:"labels"`
	// Resources are part of the detail and of the answer to an update; lists and the answer to a creation lack them.
	Resources []EnvironmentResource `json:"resources"`
}

// EnvironmentResource is a resource that an environment has bound. The cloud does not keep their order, and may
// return an empty name.
type EnvironmentResource struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Type is "eip", "elb", "cce", "ecs", "as", "cse", "dcs" or "rds"; reads also know "vpc" and others.
	Type string `json:"type"`
}

// EnvironmentCreate is the body of a creation (table 5-3). Empty optional fields are left out.
type EnvironmentCreate struct {
	Name                string  `json:"name"`
	DeployMode          string  `json:"deploy_mode,omitempty"`
	Description         string  `json:"description,omitempty"`
	EnterpriseProjectID string  `json:"enterprise_project_id,omitempty"`
	VPCID               string  `json:"vpc_id"`
	Labels              []Label `json:"labels,omitempty"`
}

// EnvironmentUpdate is the body of an update (table 5-20). Name is mandatory even where it does not change; a nil
// pointer keeps what is there, and a pointer to an empty value clears it.
type EnvironmentUpdate struct {
	Name        string   `json:"name"`
	Description *string  `json:"description,omitempty"`
	Labels      *[]Label `json:"labels,omitempty"`
}

// EnvironmentListOptions filter a list. Empty fields do not filter.
type EnvironmentListOptions struct {
	Name, EnvironmentID, EnterpriseProjectID string
	// Limit is the size of a page, 2 to 100; 100 where zero. It does not bound the list.
	Limit int
}

func environmentPath(id string) string { return "/environments/" + url.PathEscape(id) }

func (c *Client) environments() kind {
	return kind{
		name: "environment", missing: cloudclient.CodeEnvironmentMissing,
		listed: func(ctx context.Context, id string) (bool, error) {
			list := c.ListEnvironments(ctx, EnvironmentListOptions{EnvironmentID: id})
			return contains(list, id, func(e *Environment) string { return e.ID })
		},
	}
}

// CreateEnvironment creates an environment (5.1.1). The class is Exists where the name is taken. There is no
// idempotency token: after a Transient error the environment may have been created.
func (c *Client) CreateEnvironment(ctx context.Context, create EnvironmentCreate) (*Environment, error) {
	const operation = "CreateEnvironment"
	var out Environment
	if err := c.do(ctx, operation, http.MethodPost, "/environments", nil, create, &out); err != nil {
		return nil, err
	}
	if err := checkIdentified(operation, out.ID); err != nil {
		return nil, err
	}
	return &out, nil
}

// ListEnvironments yields the environments (5.1.2), oldest first, each once. An error ends the list; one of class
// Transient also says that the list was incomplete.
func (c *Client) ListEnvironments(ctx context.Context, options EnvironmentListOptions) iter.Seq2[*Environment, error] {
	filter := url.Values{}
	for name, value := range map[string]string{
		"name": options.Name, "environment_id": options.EnvironmentID, "enterprise_project_id": options.EnterpriseProjectID,
	} {
		if value != "" {
			filter.Set(name, value)
		}
	}
	const operation = "ListEnvironments"
	return pager[Environment]{
		operation: operation, size: pageSize(options.Limit), id: func(e *Environment) string { return e.ID },
		fetch: func(ctx context.Context, query url.Values) (page[Environment], error) {
			var out struct {
				Count        int            `json:"count"`
				Environments []*Environment `json:"environments"`
			}
			err := c.do(ctx, operation, http.MethodGet, "/environments", query, nil, &out)
			return page[Environment]{items: present(out.Environments), count: out.Count}, err
		},
	}.all(ctx, filter)
}

// GetEnvironment returns an environment with its resources (5.1.5). The class is NotFound only where it is gone for
// certain.
func (c *Client) GetEnvironment(ctx context.Context, id string) (*Environment, error) {
	return c.oneEnvironment(ctx, "GetEnvironment", http.MethodGet, id, nil)
}

// UpdateEnvironment changes an environment and returns it with its resources (5.1.4).
func (c *Client) UpdateEnvironment(ctx context.Context, id string, update EnvironmentUpdate) (*Environment, error) {
	if update.Labels != nil {
		labels := emptyNotNil(*update.Labels)
		update.Labels = &labels
	}
	return c.oneEnvironment(ctx, "UpdateEnvironment", http.MethodPut, id, update)
}

func (c *Client) oneEnvironment(ctx context.Context, operation, method, id string, body any) (*Environment, error) {
	if err := checkID("environment", id); err != nil {
		return nil, err
	}
	var out Environment
	if err := c.do(ctx, operation, method, environmentPath(id), nil, body, &out); err != nil {
		return nil, c.environments().confirm(ctx, id, err)
	}
	if err := checkIdentified(operation, out.ID); err != nil {
		return nil, err
	}
	return &out, nil
}

// DeleteEnvironment deletes an environment (5.1.3). The class is InUse while something is deployed in it, and NotFound
// where it is gone already.
func (c *Client) DeleteEnvironment(ctx context.Context, id string) error {
	if err := checkID("environment", id); err != nil {
		return err
	}
	err := c.do(ctx, "DeleteEnvironment", http.MethodDelete, environmentPath(id), nil, nil, nil)
	return c.environments().confirm(ctx, id, err)
}

type environmentResources struct {
	Resources []EnvironmentResource `json:"resources"`
}

// GetEnvironmentResources returns what an environment has bound (5.1.7).
func (c *Client) GetEnvironmentResources(ctx context.Context, id string) ([]EnvironmentResource, error) {
	return c.environmentResources(ctx, "GetEnvironmentResources", http.MethodGet, id, nil)
}

// SetEnvironmentResources replaces the whole list of what an environment has bound, and returns the new one (5.1.6).
func (c *Client) SetEnvironmentResources(ctx context.Context, id string, resources []EnvironmentResource) ([]EnvironmentResource, error) {
	body := environmentResources{Resources: emptyNotNil(resources)}
	return c.environmentResources(ctx, "SetEnvironmentResources", http.MethodPut, id, body)
}

func (c *Client) environmentResources(ctx context.Context, operation, method, id string, body any) ([]EnvironmentResource, error) {
	if err := checkID("environment", id); err != nil {
		return nil, err
	}
	var out environmentResources
	if err := c.do(ctx, operation, method, environmentPath(id)+"/resources", nil, body, &out); err != nil {
		return nil, c.environments().confirm(ctx, id, err)
	}
	return out.Resources, nil
}
