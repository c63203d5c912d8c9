// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// component is a record of API reference 5.3. What the simulator acts on has a field; the rest of the configuration
// (tables 5-96 to 5-127) stays in the form of its JSON, so that the admin API can put and patch any part of it.
type component struct {
	meta
	ApplicationID string
	EnvironmentID string
	Status        componentStatus
	// fields is the configuration, and "creator". It is replaced, never changed.
	fields map[string]any
}

// componentStatus is what is kept of table 5-226; the rest of it is worked out when it is shown.
type componentStatus struct {
	// ComponentStatus "" counts as RUNNING: a record that the admin API put with nothing but its references.
	ComponentStatus string `json:"component_status,omitempty"`
	// AvailableReplica and Replica, where they are nil, are the replica of the configuration.
	AvailableReplica *int   `json:"available_replica,omitempty"`
	Replica          *int   `json:"replica,omitempty"`
	FailDetail       string `json:"fail_detail,omitempty"`
	LastJobID        string `json:"last_job_id,omitempty"`
}

// Words of component_status (table 5-226); GRAYING is observed only.
const (
	statusInitializing    = "INITIALIZING"
	statusUpgrading       = "UPGRADING"
	statusGraying         = "GRAYING"
	statusRunning         = "RUNNING"
	statusFailed          = "FAILED"
	statusPartiallyFailed = "PARTIALLY_FAILED"
	statusDown            = "DOWN"
	statusUnknown         = "UNKNOWN"
	statusStarting        = "STARTING"
	statusStopping        = "STOPPING"
	statusStopped         = "STOPPED"
	statusRestarting      = "RESTARTING"
	statusDeleting        = "DELETING"
)

func (c *component) references() []reference {
	return []reference{
		{collection: applicationsPath, id: c.ApplicationID},
		{collection: environmentsPath, id: c.EnvironmentID},
	}
}

// componentFields are the fields that a component's record is interpreted by.
type componentFields struct {
	meta
	ApplicationID string           `json:"application_id"`
	EnvironmentID string           `json:"environment_id"`
	Status        *json.RawMessage `json:"status,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (c *component) MarshalJSON() ([]byte, error) {
	known := componentFields{meta: c.meta, ApplicationID: c.ApplicationID, EnvironmentID: c.EnvironmentID}
	if c.Status != (componentStatus{}) {
		status := json.RawMessage(encodeJSON(c.Status))
		known.Status = &status
	}
	all := maps.Clone(c.fields)
	if all == nil {
		all = map[string]any{}
	}
	if err := json.Unmarshal(encodeJSON(known), &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// UnmarshalJSON implements json.Unmarshaler. The status is read strictly: a misspelt word in it would prove nothing.
func (c *component) UnmarshalJSON(data []byte) error {
	var known componentFields
	if err := json.Unmarshal(data, &known); err != nil {
		return err
	}
	var status componentStatus
	if known.Status != nil {
		if err := decodeStrict(*known.Status, &status); err != nil {
			return fmt.Errorf("status: %w", err)
		}
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for _, name := range []string{"id", "name", "project_id", "create_time", "update_time", "application_id", "environment_id", "status"} {
		delete(fields, name)
	}
	*c = component{
		meta: known.meta, ApplicationID: known.ApplicationID, EnvironmentID: known.EnvironmentID, Status: status, fields: fields,
	}
	return nil
}

// setField changes one field of a record that is not stored yet.
func (c *component) setField(name string, value any) {
	fields := maps.Clone(c.fields)
	if fields == nil {
		fields = map[string]any{}
	}
	fields[name] = value
	c.fields = fields
}

func (c *component) replica() int { return integer(c.fields["replica"]) }

func (c *component) available() int {
	if c.Status.AvailableReplica != nil {
		return *c.Status.AvailableReplica
	}
	return c.replica()
}

func (c *component) version() string { return textOf(c.fields["version"]) }

func (c *component) onVirtualMachines() bool {
	return textOf(objectOf(c.fields["runtime_stack"])["deploy_mode"]) == "virtualmachine"
}

// clusterID is the CCE cluster that the component runs in, "" for none.
func (c *component) clusterID() string {
	for _, resource := range objectsOf(c.fields["refer_resources"]) {
		if resource["type"] == "cce" {
			return textOf(resource["id"])
		}
	}
	return ""
}

// Readers of JSON values; anything of another form reads as the zero value.

func textOf(value any) string {
	text, _ := value.(string)
	return text
}

func integer(value any) int {
	switch number := value.(type) {
	case float64:
		return int(number)
	case int:
		return number
	}
	return 0
}

func objectOf(value any) map[string]any {
	object, _ := value.(map[string]any)
	return object
}

func listOf(value any) []any {
	list, _ := value.([]any)
	return list
}

func objectsOf(value any) []map[string]any {
	var objects []map[string]any
	for _, item := range listOf(value) {
		if object, ok := item.(map[string]any); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

func (s *serviceStage) installComponents(g *registry) {
	const all = "/v3/{project_id}/cas/applications/{application_id}/components"
	const one = all + "/{component_id}"
	g.handle(http.MethodPost, all, s.createComponent)
	g.handle(http.MethodGet, all, s.listApplicationComponents)
	g.handle(http.MethodGet, "/v3/{project_id}/cas/components", s.listComponents)
	g.handle(http.MethodPut, one, s.updateComponent)
	g.handle(http.MethodDelete, one, s.deleteComponent)
	g.handle(http.MethodGet, one, s.getComponent)
	g.handle(http.MethodPost, one+"/action", s.actOnComponent)
	g.handle(http.MethodGet, one+"/records", s.listReleases)
}

func missingComponent(quirks Quirks) *apiError {
	return missing(quirks, "SVCSTG.00100404", "Component")
}

// notInThisState is the answer to what a component's state or running job does not allow.
func notInThisState() *apiError {
	return &apiError{status: http.StatusConflict, code: "SVCSTG.00100419", message: "The operation cannot be performed in the current state."}
}

func inReleaseTask() *apiError {
	return &apiError{status: http.StatusConflict, code: "SVCSTG.00100432", message: "The component is already in the release task."}
}

// component returns the record that the path names; it must belong to the application in the path.
func (s *serviceStage) component(c *call) (*component, error) {
	app, err := s.application(c)
	if err != nil {
		return nil, err
	}
	comp, ok := s.components.get(c.project(), c.params["component_id"])
	if !ok || comp.ApplicationID != app.ID {
		return nil, missingComponent(c.quirks)
	}
	return comp, nil
}

// createComponent is 5.3.1: it starts a job and answers its id.
func (s *serviceStage) createComponent(c *call) (reply, error) {
	app, err := s.application(c)
	if err != nil {
		return reply{}, err
	}
	fields, err := s.readComponent(c, createRules)
	if err != nil {
		return reply{}, err
	}
	env, ok := s.environments.get(c.project(), textOf(fields["environment_id"]))
	if !ok {
		return reply{}, missingEnvironment(c.quirks)
	}
	if err := s.checkNewComponent(c, app, env, fields); err != nil {
		return reply{}, err
	}
	comp := &component{meta: s.created(c, textOf(fields["name"])), ApplicationID: app.ID, EnvironmentID: env.ID}
	comp.fields = configurationOf(fields)
	comp.setField("creator", c.caller.account.creator())
	s.components.put(comp)
	started := s.startRelease(c, comp, planCreate(comp.fields), comp.fields, nil)
	return reply{status: http.StatusOK, body: map[string]any{"component_id": comp.ID, "job_id": started.ID}}, nil
}

// checkNewComponent is what a create must also satisfy beyond its own body.
func (s *serviceStage) checkNewComponent(c *call, app *application, env *environment, fields map[string]any) error {
	if err := s.resolveStack(fields, c.quirks); err != nil {
		return err
	}
	if err := checkPlacement(env, fields); err != nil {
		return err
	}
	name := textOf(fields["name"])
	for _, other := range s.components.named(c.project(), name) {
		if other.ApplicationID == app.ID && other.EnvironmentID == env.ID && sameName(other.Name, name, c.quirks) {
			return &apiError{status: http.StatusConflict, code: "SVCSTG.00100413", message: "The instance name already exists."}
		}
	}
	return checkQuota(c.quirks, componentsPath, s.components.count(c.project()))
}

// configurationOf returns what a component keeps of a body: what has a field of its own goes.
func configurationOf(body map[string]any) map[string]any {
	fields := maps.Clone(body)
	delete(fields, "name")
	delete(fields, "environment_id")
	return fields
}

// Statuses in which a component takes a new configuration. A stopped one takes it too and stays stopped (inferred).
var updatable = []string{statusRunning, statusFailed, statusPartiallyFailed, statusDown, statusUnknown, statusStopped}

// updateComponent is 5.3.4: the whole configuration, as a release that a job rolls out.
func (s *serviceStage) updateComponent(c *call) (reply, error) {
	comp, err := s.component(c)
	if err != nil {
		return reply{}, err
	}
	body, err := s.readComponent(c, updateRules)
	if err != nil {
		return reply{}, err
	}
	fields := s.mergeUpdate(comp, body, c.quirks)
	if err := s.checkUpdate(c, comp, body, fields); err != nil {
		return reply{}, err
	}
	if _, busy := s.runningJob(comp); busy {
		if c.quirks.BusyCode == "release" {
			return reply{}, inReleaseTask()
		}
		return reply{}, notInThisState()
	}
	plan, err := s.planUpdate(comp, fields)
	if err != nil {
		return reply{}, err
	}
	if err := s.checkVersion(comp, textOf(fields["version"]), c.quirks); err != nil {
		return reply{}, err
	}
	started := s.startRelease(c, comp, plan, fields, snapshotOf(comp))
	return reply{status: http.StatusOK, body: map[string]any{"job_id": started.ID}}, nil
}

// keptWhenAbsent are the fields that a PUT leaves alone when it does not name them: labels as documented for every
// collection, the others inferred, since the detail does not show them or an instance cannot do without.
var keptWhenAbsent = []string{"labels", "external_accesses", "refer_resources"}

// mergeUpdate returns the configuration that a PUT makes. The number of instances "can be modified only when the
// scaling function is used" (table 5-156): the one sent is ignored.
func (s *serviceStage) mergeUpdate(comp *component, body map[string]any, quirks Quirks) map[string]any {
	fields := configurationOf(body)
	for name, old := range comp.fields {
		if _, sent := fields[name]; !sent && (quirks.PutKeepsAbsent || slices.Contains(keptWhenAbsent, name)) {
			fields[name] = old
		}
	}
	for _, name := range []string{"replica", "runtime_stack", "creator"} {
		if old, ok := comp.fields[name]; ok {
			fields[name] = old
		}
	}
	return fields
}

// checkUpdate is what a PUT must satisfy beyond its own body: name and runtime_stack stay.
func (s *serviceStage) checkUpdate(c *call, comp *component, body, fields map[string]any) error {
	if textOf(body["name"]) != comp.Name {
		return badParameter("name cannot be modified, it is %q.", comp.Name)
	}
	old, sent := objectOf(comp.fields["runtime_stack"]), objectOf(body["runtime_stack"])
	for _, name := range []string{"name", "type", "deploy_mode", "version"} {
		if was, now := textOf(old[name]), textOf(sent[name]); was != "" && now != "" && was != now {
			return badParameter("runtime_stack.%s cannot be modified, it is %q.", name, was)
		}
	}
	if err := checkSourceAndBuild(fields); err != nil {
		return err
	}
	env, ok := s.environments.get(c.project(), comp.EnvironmentID)
	if !ok {
		return nil
	}
	return checkPlacement(env, fields)
}

// planUpdate chooses how a new configuration is rolled out. While gray, only the version that the gray release is to
// replace is taken: that gives it up.
func (s *serviceStage) planUpdate(comp *component, fields map[string]any) (jobPlan, error) {
	switch status := s.statusOf(comp).ComponentStatus; {
	case status == statusGraying:
		if stable := s.currentRelease(comp); stable != nil && stable.Version == textOf(fields["version"]) {
			return planGiveUp("update", comp.fields), nil
		}
		return jobPlan{}, inReleaseTask()
	case !slices.Contains(updatable, status):
		return jobPlan{}, notInThisState()
	case status == statusStopped:
		return planStoppedUpdate(fields), nil
	}
	return planRelease("update", fields), nil
}

// checkVersion refuses a version that an older release of the component went by. The reference gives the code (in
// use in the environment, under 404) but not its exact scope: that the version in place may be repeated is inferred.
func (s *serviceStage) checkVersion(comp *component, version string, quirks Quirks) error {
	if quirks.VersionReuse == "any" || s.statusOf(comp).ComponentStatus == statusGraying {
		return nil
	}
	if quirks.VersionReuse == "" && version == comp.version() {
		return nil
	}
	for _, release := range s.releasesOf(comp) {
		if release.Version == version && release.Status == jobSucceeded {
			return &apiError{
				status: http.StatusNotFound, code: "SVCSTG.00100441",
				message: "The component instance version number has been used in the environment.",
			}
		}
	}
	return nil
}

// deleteComponent is 5.3.5. It answers at once and goes on in a job, whatever the component's state; a job that runs
// is cancelled. Deleting what is being deleted changes nothing.
func (s *serviceStage) deleteComponent(c *call) (reply, error) {
	comp, err := s.component(c)
	if err != nil {
		return reply{}, err
	}
	running, busy := s.runningJob(comp)
	if !busy || running.Name != jobDelete {
		if busy {
			s.cancelJob(running)
		}
		s.startJob(c, comp, planDelete(comp.available()), snapshotOf(comp), nil)
	}
	if c.quirks.EmptyComponentDelete {
		return reply{status: http.StatusOK}, nil
	}
	return reply{status: http.StatusOK, body: map[string]any{"component_id": comp.ID}}, nil
}
