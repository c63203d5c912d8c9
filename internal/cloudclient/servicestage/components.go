// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// Component is a component as the cloud reports it (API reference 5.3, tables 5-134, 5-146 and 5-195).
//
// The detail and the lists do not hold the same: the detail lacks the names of application and environment and the
// external accesses, and may lack the labels; lists lack the build, the variables and most of the configuration.
type Component struct {
	ID, Name, Description          string
	ApplicationID, ApplicationName string
	EnvironmentID, EnvironmentName string
	Version                        string
	PlatformType, WorkloadKind     string
	Creator                        string
	// CreateTime and UpdateTime are milliseconds since the epoch, 0 where the cloud does not tell.
	CreateTime, UpdateTime int64
	// Labels is nil where the record does not hold any member of that name, or null.
	Labels           []Label
	ExternalAccesses []ExternalAccess
	Status           ComponentStatus
	// Fields is the whole record as decoded JSON, with json.Number for numbers, because an update must send back what
	// the caller does not own.
	Fields map[string]any
}

// ExternalAccess is an address under which a component can be reached (table 5-140).
type ExternalAccess struct {
	// Protocol is "http" or "https"; the cloud adds others on its own account.
	Protocol    string
	Address     string
	ForwardPort int
}

// The values of ComponentStatus.ComponentStatus (table 5-137, and GRAYING, which no reference knows).
const (
	ComponentInitializing    = "INITIALIZING"
	ComponentUpgrading       = "UPGRADING"
	ComponentFailed          = "FAILED"
	ComponentRunning         = "RUNNING"
	ComponentDown            = "DOWN"
	ComponentDeleting        = "DELETING"
	ComponentDeleted         = "DELETED"
	ComponentReserved        = "RESERVED"
	ComponentStarting        = "STARTING"
	ComponentStopping        = "STOPPING"
	ComponentStopped         = "STOPPED"
	ComponentRestarting      = "RESTARTING"
	ComponentPending         = "PENDING"
	ComponentUnknown         = "UNKNOWN"
	ComponentPartiallyFailed = "PARTIALLY_FAILED"
	// ComponentGraying is a gray release at its first batch, which waits for ActionContinueDeploy.
	ComponentGraying = "GRAYING"
)

// ComponentStatus is how a component is (table 5-226).
type ComponentStatus struct {
	// ComponentStatus is in upper case. It means nothing while the component is being deleted.
	ComponentStatus           string
	AvailableReplica, Replica int
	// FailDetail is a word such as "cluster_deleted", "" where nothing failed.
	FailDetail string
	LastJobID  string
	Artifact   Artifact
}

// Artifact is what a component runs (table 5-227).
type Artifact struct {
	// Type is "package" on virtual machines, else "image".
	Type string
	URL  string
}

// UnmarshalJSON reads a record of a list or a detail.
func (c *Component) UnmarshalJSON(data []byte) error {
	var record struct {
		ID              text             `json:"id"`
		Name            text             `json:"name"`
		Description     text             `json:"description"`
		ApplicationID   text             `json:"application_id"`
		ApplicationName text             `json:"application_name"`
		EnvironmentID   text             `json:"environment_id"`
		EnvironmentName text             `json:"environment_name"`
		Version         text             `json:"version"`
		PlatformType    text             `json:"platform_type"`
		WorkloadKind    text             `json:"workload_kind"`
		Creator         text             `json:"creator"`
		CreateTime      millis           `json:"create_time"`
		UpdateTime      millis           `json:"update_time"`
		Labels          []Label          `json:"labels"`
		Accesses        []externalAccess `json:"external_accesses"`
		Status          struct {
			ComponentStatus  text    `json:"component_status"`
			AvailableReplica integer `json:"available_replica"`
			Replica          integer `json:"replica"`
			FailDetail       text    `json:"fail_detail"`
			LastJobID        text    `json:"last_job_id"`
			Creator          text    `json:"creator"`
			CreateTime       millis  `json:"create_time"`
			UpdateTime       millis  `json:"update_time"`
			Artifact         struct {
				Type text `json:"type"`
				URL  text `json:"url"`
			} `json:"artifact"`
		} `json:"status"`
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return err
	}
	status := record.Status
	*c = Component{
		ID: string(record.ID), Name: string(record.Name), Description: string(record.Description),
		ApplicationID: string(record.ApplicationID), ApplicationName: string(record.ApplicationName),
		EnvironmentID: string(record.EnvironmentID), EnvironmentName: string(record.EnvironmentName),
		Version: string(record.Version), PlatformType: string(record.PlatformType), WorkloadKind: string(record.WorkloadKind),
		Creator:    string(cmp.Or(record.Creator, status.Creator)),
		CreateTime: int64(cmp.Or(record.CreateTime, status.CreateTime)),
		UpdateTime: int64(cmp.Or(record.UpdateTime, status.UpdateTime)),
		Labels:     record.Labels,
		Status: ComponentStatus{
			ComponentStatus:  upper(status.ComponentStatus),
			AvailableReplica: int(status.AvailableReplica), Replica: int(status.Replica),
			FailDetail: string(status.FailDetail), LastJobID: string(status.LastJobID),
			Artifact: Artifact{Type: string(status.Artifact.Type), URL: string(status.Artifact.URL)},
		},
		Fields: fields,
	}
	for _, access := range record.Accesses {
		c.ExternalAccesses = append(c.ExternalAccesses, ExternalAccess{
			Protocol: string(access.Protocol), Address: string(access.Address), ForwardPort: int(access.ForwardPort),
		})
	}
	return nil
}

type externalAccess struct {
	Protocol    text    `json:"protocol"`
	Address     text    `json:"address"`
	ForwardPort integer `json:"forward_port"`
}

// upper is a word of an enumeration in upper case.
func upper(word text) string { return strings.ToUpper(strings.TrimSpace(string(word))) }

// ComponentJob is the answer to a creation (table 5-128).
type ComponentJob struct {
	ComponentID string
	// JobID is the job that deploys the component.
	JobID string
}

// ComponentListOptions filter a list. Empty fields do not filter. Names match as a whole, whatever their case.
type ComponentListOptions struct {
	ApplicationName, Name string
	// Limit is the size of a page, 2 to 100; 100 where zero. It does not bound the list.
	Limit int
}

func (o ComponentListOptions) match(component *Component) bool {
	return (o.Name == "" || strings.EqualFold(component.Name, o.Name)) &&
		(o.ApplicationName == "" || strings.EqualFold(component.ApplicationName, o.ApplicationName))
}

// query is the filter of the project-wide list. The list of an application has none.
func (o ComponentListOptions) query() url.Values {
	query := url.Values{}
	if o.ApplicationName != "" {
		query.Set("application_name", o.ApplicationName)
	}
	if o.Name != "" {
		query.Set("component_name", o.Name)
	}
	return query
}

func componentsPath(applicationID string) string {
	return applicationPath(applicationID) + "/components"
}

func componentPath(applicationID, id string) string {
	return componentsPath(applicationID) + "/" + url.PathEscape(id)
}

func checkComponentIDs(applicationID, id string) error {
	return errors.Join(checkID("application", applicationID), checkID("component", id))
}

// components is how to confirm that a component of an application is gone.
func (c *Client) components(applicationID string) kind {
	return kind{
		name: "component", missing: cloudclient.CodeComponentMissing,
		listed: func(ctx context.Context, id string) (bool, error) {
			list := c.ListComponents(ctx, applicationID, ComponentListOptions{})
			found, err := contains(list, id, func(component *Component) string { return component.ID })
			if clouderr.Is(err, clouderr.NotFound) {
				return false, nil // an application goes after its components
			}
			return found, err
		},
	}
}

// confirmComponent tells what the failure of a call about a component means: NotFound where the component is gone for
// certain, by itself or with its application.
func (c *Client) confirmComponent(ctx context.Context, applicationID, id string, err error) error {
	var failure *clouderr.Error
	if errors.As(err, &failure) && failure.Class == clouderr.NotFound && failure.Code == cloudclient.CodeApplicationMissing {
		return err
	}
	return c.components(applicationID).confirm(ctx, id, err)
}

// CreateComponent creates a component and starts to deploy it (5.3.1; body: table 5-96). Sensitive values are kept out
// of errors. The class is NotFound where the application is gone, Invalid where the body's environment is, and Exists
// where the name is taken. There is no idempotency token: after a Transient error the component may have been created.
func (c *Client) CreateComponent(ctx context.Context, applicationID string, body map[string]any, sensitive ...string) (*ComponentJob, error) {
	const operation = "CreateComponent"
	if err := checkID("application", applicationID); err != nil {
		return nil, err
	}
	var out struct {
		ComponentID text `json:"component_id"`
		JobID       text `json:"job_id"`
	}
	if err := c.doSensitive(ctx, operation, http.MethodPost, componentsPath(applicationID), body, sensitive, &out); err != nil {
		environmentID, _ := body["environment_id"].(string)
		return nil, c.confirmConfiguration(ctx, applicationID, environmentID, err)
	}
	if err := checkIdentified(operation, string(out.ComponentID)); err != nil {
		return nil, err
	}
	return &ComponentJob{ComponentID: string(out.ComponentID), JobID: string(out.JobID)}, nil
}

// ListComponents yields the components of an application (5.3.2), or, where applicationID is empty, of the project
// (5.3.3), oldest first, each once. An error ends the list; one of class Transient also says that the list was
// incomplete, and one of class NotFound that the application is gone.
func (c *Client) ListComponents(ctx context.Context, applicationID string, options ComponentListOptions) iter.Seq2[*Component, error] {
	operation, path, filter := "ListComponents", "/components", options.query()
	if applicationID != "" {
		operation, path, filter = "ListApplicationComponents", componentsPath(applicationID), nil
	}
	list := pager[Component]{
		operation: operation, size: pageSize(options.Limit), id: func(component *Component) string { return component.ID },
		fetch: func(ctx context.Context, query url.Values) (page[Component], error) {
			var out struct {
				Count      int          `json:"count"`
				Components []*Component `json:"components"`
			}
			err := c.do(ctx, operation, http.MethodGet, path, query, nil, &out)
			return page[Component]{items: present(out.Components), count: out.Count}, err
		},
	}.all(ctx, filter)
	return func(yield func(*Component, error) bool) {
		if applicationID != "" {
			if err := checkID("application", applicationID); err != nil {
				yield(nil, err)
				return
			}
		}
		for component, err := range list {
			switch {
			case err != nil && applicationID != "":
				yield(nil, c.applications().confirm(ctx, applicationID, err))
				return
			case err != nil:
				yield(nil, err)
				return
			case options.match(component) && !yield(component, nil):
				return
			}
		}
	}
}

// GetComponent returns a component (5.3.6). The class is NotFound only where it is gone for certain.
func (c *Client) GetComponent(ctx context.Context, applicationID, id string) (*Component, error) {
	const operation = "GetComponent"
	if err := checkComponentIDs(applicationID, id); err != nil {
		return nil, err
	}
	var out Component
	if err := c.do(ctx, operation, http.MethodGet, componentPath(applicationID, id), nil, nil, &out); err != nil {
		return nil, c.confirmComponent(ctx, applicationID, id, err)
	}
	// The table of the detail has no id. The name tells a component from garbage.
	if err := checkIdentified(operation, cmp.Or(out.ID, out.Name)); err != nil {
		return nil, err
	}
	out.ID = cmp.Or(out.ID, id)
	out.ApplicationID = cmp.Or(out.ApplicationID, applicationID)
	return &out, nil
}

// UpdateComponent changes a component and returns the job that does so (5.3.4; body: table 5-156, of which name,
// runtime_stack, source, version and replica are mandatory). Sensitive values are kept out of errors. The job's id is
// empty where the cloud started none. The class is NotFound only where the component is gone for certain, Invalid
// where the body refers to something that is, and Busy while another job runs.
func (c *Client) UpdateComponent(ctx context.Context, applicationID, id string, body map[string]any, sensitive ...string) (jobID string, err error) {
	if err := checkComponentIDs(applicationID, id); err != nil {
		return "", err
	}
	var out struct {
		JobID text `json:"job_id"`
	}
	err = c.doSensitive(ctx, "UpdateComponent", http.MethodPut, componentPath(applicationID, id), body, sensitive, &out)
	if err != nil {
		return "", c.confirmComponent(ctx, applicationID, id, err)
	}
	return string(out.JobID), nil
}

// DeleteComponent starts the deletion of a component (5.3.5). It is gone when GetComponent says so; until then its
// status means nothing. The class is NotFound where it is gone already, and Busy while a job keeps it from going.
func (c *Client) DeleteComponent(ctx context.Context, applicationID, id string) error {
	if err := checkComponentIDs(applicationID, id); err != nil {
		return err
	}
	err := c.do(ctx, "DeleteComponent", http.MethodDelete, componentPath(applicationID, id), nil, nil, nil)
	return c.confirmComponent(ctx, applicationID, id, err)
}

// doSensitive makes a call whose body holds values that must not show up in errors.
func (c *Client) doSensitive(ctx context.Context, operation, method, path string, body any, sensitive []string, out any) error {
	return c.cloud.Do(ctx, cloudclient.Request{
		Operation: operation, Service: cloudclient.ServiceStage, Method: method, Path: basePath + path,
		Body: body, Sensitive: sensitive, Out: out,
	})
}
