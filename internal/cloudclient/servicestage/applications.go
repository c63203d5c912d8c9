// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// Application is an application as the cloud reports it (API reference 5.2, tables 5-48, 5-55 and 5-70).
type Application struct {
	ID                  string `json:"id"`
	Name                string `json:"name"`
	Description         string `json:"description"`
	ProjectID           string `json:"project_id"`
	EnterpriseProjectID string `json:"enterprise_project_id"`
	Creator             string `json:"creator"`
	// CreateTime and UpdateTime are milliseconds since the epoch.
	CreateTime int64 `json:"create_time"`
	UpdateTime int64 `json:"update_time"`
	// ComponentCount is missing (0) in the answer to a creation.
	ComponentCount int     `json:"component_count"`
	Labels         []Label `json:"labels"`
}

// ApplicationCreate is the body of a creation (table 5-46). Empty optional fields are left out.
type ApplicationCreate struct {
	Name                string  `json:"name"`
	Description         string  `json:"description,omitempty"`
	EnterpriseProjectID string  `json:"enterprise_project_id,omitempty"`
	Labels              []Label `json:"labels,omitempty"`
}

// ApplicationUpdate is the body of an update (table 5-60). A nil pointer keeps what is there, and a pointer to an empty
// value clears it. The cloud may take EnterpriseProjectID without effect: compare what comes back.
type ApplicationUpdate struct {
	Name                *string  `json:"name,omitempty"`
	Description         *string  `json:"description,omitempty"`
	EnterpriseProjectID *string  `json:"enterprise_project_id,omitempty"`
	Labels              *[]Label `json:"labels,omitempty"`
}

// ApplicationListOptions shape a list. The API has no filter.
type ApplicationListOptions struct {
	// Limit is the size of a page, 2 to 100; 100 where zero. It does not bound the list.
	Limit int
}

// EnvVar is an environment variable.
type EnvVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ApplicationConfiguration is what all components of an application in one environment get.
type ApplicationConfiguration struct {
	ApplicationID, EnvironmentID string
	Env                          []EnvVar
}

func applicationPath(id string) string { return "/applications/" + url.PathEscape(id) }

func (c *Client) applications() kind {
	return kind{
		name: "application", missing: cloudclient.CodeApplicationMissing,
		listed: func(ctx context.Context, id string) (bool, error) {
			return contains(c.ListApplications(ctx, ApplicationListOptions{}), id, func(a *Application) string { return a.ID })
		},
	}
}

// CreateApplication creates an application (5.2.1). The class is Exists where the name is taken. There is no
// idempotency token: after a Transient error the application may have been created.
func (c *Client) CreateApplication(ctx context.Context, create ApplicationCreate) (*Application, error) {
	const operation = "CreateApplication"
	var out Application
	if err := c.do(ctx, operation, http.MethodPost, "/applications", nil, create, &out); err != nil {
		return nil, err
	}
	if err := checkIdentified(operation, out.ID); err != nil {
		return nil, err
	}
	return &out, nil
}

// ListApplications yields the applications (5.2.2), oldest first, each once. An error ends the list; one of class
// Transient also says that the list was incomplete.
func (c *Client) ListApplications(ctx context.Context, options ApplicationListOptions) iter.Seq2[*Application, error] {
	const operation = "ListApplications"
	return pager[Application]{
		operation: operation, size: pageSize(options.Limit), id: func(a *Application) string { return a.ID },
		fetch: func(ctx context.Context, query url.Values) (page[Application], error) {
			var out struct {
				Count        int            `json:"count"`
				Applications []*Application `json:"applications"`
			}
			err := c.do(ctx, operation, http.MethodGet, "/applications", query, nil, &out)
			return page[Application]{items: present(out.Applications), count: out.Count}, err
		},
	}.all(ctx, nil)
}

// GetApplication returns an application (5.2.5). The class is NotFound only where it is gone for certain.
func (c *Client) GetApplication(ctx context.Context, id string) (*Application, error) {
	return c.oneApplication(ctx, "GetApplication", http.MethodGet, id, nil)
}

// UpdateApplication changes an application and returns it (5.2.3).
func (c *Client) UpdateApplication(ctx context.Context, id string, update ApplicationUpdate) (*Application, error) {
	if update.Labels != nil {
		labels := emptyNotNil(*update.Labels)
		update.Labels = &labels
	}
	return c.oneApplication(ctx, "UpdateApplication", http.MethodPut, id, update)
}

func (c *Client) oneApplication(ctx context.Context, operation, method, id string, body any) (*Application, error) {
	if err := checkID("application", id); err != nil {
		return nil, err
	}
	var out Application
	if err := c.do(ctx, operation, method, applicationPath(id), nil, body, &out); err != nil {
		return nil, c.applications().confirm(ctx, id, err)
	}
	if err := checkIdentified(operation, out.ID); err != nil {
		return nil, err
	}
	return &out, nil
}

// DeleteApplication deletes an application (5.2.4). The class is InUse while it has components, and NotFound where it
// is gone already.
func (c *Client) DeleteApplication(ctx context.Context, id string) error {
	if err := checkID("application", id); err != nil {
		return err
	}
	err := c.do(ctx, "DeleteApplication", http.MethodDelete, applicationPath(id), nil, nil, nil)
	return c.applications().confirm(ctx, id, err)
}

// The bodies of application configurations (tables 5-77 and 5-83).
type (
	configurationEnv struct {
		Env []EnvVar `json:"env"`
	}
	configuration struct {
		ApplicationID string           `json:"application_id,omitempty"`
		EnvironmentID string           `json:"environment_id"`
		Configuration configurationEnv `json:"configuration"`
	}
)

func (c configuration) export() ApplicationConfiguration {
	return ApplicationConfiguration{ApplicationID: c.ApplicationID, EnvironmentID: c.EnvironmentID, Env: c.Configuration.Env}
}

func configurationPath(applicationID string) string {
	return applicationPath(applicationID) + "/configuration"
}

// environmentQuery filters by an environment, unless the id is empty.
func environmentQuery(environmentID string) url.Values {
	if environmentID == "" {
		return nil
	}
	return url.Values{"environment_id": {environmentID}}
}

// ListApplicationConfigurations returns an application's configuration in one environment, or, where environmentID is
// empty, in all of them (5.2.6).
func (c *Client) ListApplicationConfigurations(ctx context.Context, applicationID, environmentID string) ([]ApplicationConfiguration, error) {
	if err := checkID("application", applicationID); err != nil {
		return nil, err
	}
	out, err := c.listConfigurations(ctx, applicationID, environmentID)
	if err != nil {
		return nil, c.confirmConfiguration(ctx, applicationID, environmentID, err)
	}
	return out, nil
}

func (c *Client) listConfigurations(ctx context.Context, applicationID, environmentID string) ([]ApplicationConfiguration, error) {
	var reply struct {
		Configuration []configuration `json:"configuration"`
	}
	err := c.do(ctx, "ListApplicationConfigurations", http.MethodGet, configurationPath(applicationID),
		environmentQuery(environmentID), nil, &reply)
	if err != nil {
		return nil, err
	}
	var out []ApplicationConfiguration
	for _, one := range reply.Configuration {
		if environmentID == "" || one.EnvironmentID == environmentID {
			out = append(out, one.export())
		}
	}
	return out, nil
}

// SetApplicationConfiguration replaces an application's variables in one environment (5.2.7). Their values are kept
// out of errors.
func (c *Client) SetApplicationConfiguration(ctx context.Context, applicationID, environmentID string, env []EnvVar) (*ApplicationConfiguration, error) {
	if err := errors.Join(checkID("application", applicationID), checkID("environment", environmentID)); err != nil {
		return nil, err
	}
	values := make([]string, 0, len(env))
	for _, one := range env {
		values = append(values, one.Value)
	}
	var out configuration
	err := c.cloud.Do(ctx, cloudclient.Request{
		Operation: "SetApplicationConfiguration", Service: cloudclient.ServiceStage, Method: http.MethodPut,
		Path:      basePath + configurationPath(applicationID),
		Body:      configuration{EnvironmentID: environmentID, Configuration: configurationEnv{Env: emptyNotNil(env)}},
		Sensitive: values, Out: &out,
	})
	if err != nil {
		return nil, c.confirmConfiguration(ctx, applicationID, environmentID, err)
	}
	exported := out.export()
	return &exported, nil
}

// DeleteApplicationConfiguration removes an application's variables in one environment (5.2.8). It succeeds where
// they, the application or the environment are gone already.
func (c *Client) DeleteApplicationConfiguration(ctx context.Context, applicationID, environmentID string) error {
	if err := errors.Join(checkID("application", applicationID), checkID("environment", environmentID)); err != nil {
		return err
	}
	err := c.do(ctx, "DeleteApplicationConfiguration", http.MethodDelete, configurationPath(applicationID),
		environmentQuery(environmentID), nil, nil)
	var failure *clouderr.Error
	if !errors.As(err, &failure) || !suspected(failure) && failure.Status != http.StatusNotFound {
		return err
	}
	// Something is missing. The deletion is done where the configuration is, or what it belonged to.
	remaining, err := c.listConfigurations(ctx, applicationID, environmentID)
	switch {
	case err != nil && c.parentGone(ctx, applicationID, environmentID, err), err == nil && len(remaining) == 0:
		return nil
	default:
		return failure
	}
}

// parentGone says whether err, which a call about a configuration ended in, means that the application or the
// environment is gone for certain.
func (c *Client) parentGone(ctx context.Context, applicationID, environmentID string, err error) bool {
	return clouderr.Is(c.applications().confirm(ctx, applicationID, err), clouderr.NotFound) ||
		clouderr.Is(c.environments().confirm(ctx, environmentID, err), clouderr.NotFound)
}

// confirmConfiguration tells what the failure of a call about a configuration means: NotFound where the application is
// gone, Invalid where the environment is, which then is a reference to nothing.
func (c *Client) confirmConfiguration(ctx context.Context, applicationID, environmentID string, err error) error {
	confirmed := c.applications().confirm(ctx, applicationID, err)
	var failure *clouderr.Error
	if environmentID == "" || !clouderr.Is(confirmed, clouderr.Transient) || !errors.As(err, &failure) || !suspected(failure) {
		return confirmed
	}
	ofEnvironment := c.environments().confirm(ctx, environmentID, err)
	if clouderr.Is(ofEnvironment, clouderr.NotFound) && errors.As(ofEnvironment, &failure) {
		missing := *failure
		missing.Class = clouderr.Invalid
		return &missing
	}
	return confirmed
}
