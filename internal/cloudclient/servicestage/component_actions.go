// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"context"
	"net/http"
	"strings"
)

// Action is a task for a component (API reference 5.3.7, table 5-231).
type Action string

const (
	// ActionStart runs a stopped component again.
	ActionStart Action = "start"
	// ActionStop stops a component and keeps its configuration.
	ActionStop Action = "stop"
	// ActionRestart restarts all instances.
	ActionRestart Action = "restart"
	// ActionScale changes the number of instances; parameters "replica" and, on virtual machines, "hosts".
	ActionScale Action = "scale"
	// ActionRollback returns to a version of the component's records; parameter "version".
	ActionRollback Action = "rollback"
	// ActionContinueDeploy ends the pause after the first batch of a gray release.
	ActionContinueDeploy Action = "continue_deploy"
	// ActionCheckGrayRelease asks whether a gray release is possible.
	ActionCheckGrayRelease Action = "check_gray_release"
	// ActionModifyGrayRule changes how traffic is divided during a gray release.
	ActionModifyGrayRule Action = "modify_gray_rule"
)

// ActionResult is the answer to an action (table 5-233).
type ActionResult struct {
	// JobID is the job that carries the action out, empty where the cloud started none.
	JobID string
	// Result is "succeeded" or "failed", or empty.
	Result string
}

// Failed says whether the cloud took the action and could not carry it out.
func (r *ActionResult) Failed() bool { return strings.EqualFold(r.Result, "failed") }

// ComponentAction orders an action (5.3.7; parameters: table 5-232, left out where empty). The class is Busy where the
// component's state does not allow it, and NotFound only where the component is gone for certain. An answer that says
// "failed" is no error.
func (c *Client) ComponentAction(ctx context.Context, applicationID, id string, action Action, parameters map[string]any) (*ActionResult, error) {
	if err := checkComponentIDs(applicationID, id); err != nil {
		return nil, err
	}
	body := struct {
		Action     Action         `json:"action"`
		Parameters map[string]any `json:"parameters,omitempty"`
	}{action, parameters}
	var out struct {
		JobID  text `json:"job_id"`
		Result text `json:"result"`
	}
	if err := c.do(ctx, "ComponentAction", http.MethodPost, componentPath(applicationID, id)+"/action", nil, body, &out); err != nil {
		return nil, c.confirmComponent(ctx, applicationID, id, err)
	}
	return &ActionResult{JobID: string(out.JobID), Result: string(out.Result)}, nil
}
