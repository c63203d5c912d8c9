// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// getComponent is 5.3.6. expect_fields, of newer references, is a comma-separated list of what is wanted.
func (s *serviceStage) getComponent(c *call) (reply, error) {
	comp, err := s.component(c)
	if err != nil {
		return reply{}, err
	}
	body := s.componentDetail(comp, c.quirks)
	if expected := c.query.Get("expect_fields"); expected != "" {
		keep := append(strings.Split(expected, ","), "id", "name")
		maps.DeleteFunc(body, func(name string, _ any) bool { return !slices.Contains(keep, name) })
	}
	return reply{status: http.StatusOK, body: body}, nil
}

// listApplicationComponents is 5.3.2.
func (s *serviceStage) listApplicationComponents(c *call) (reply, error) {
	app, err := s.application(c)
	if err != nil {
		return reply{}, err
	}
	return s.answerComponents(c, s.componentsOf(c, app), true)
}

func (s *serviceStage) componentsOf(c *call, app *application) []*component {
	var found []*component
	for _, id := range s.state.referrerIDs(applicationsPath, app.ID, componentsPath) {
		if comp, ok := s.components.get(c.project(), id); ok {
			found = append(found, comp)
		}
	}
	return found
}

// listComponents is 5.3.3. Its filter by application_name is documented; clients met a list without it.
func (s *serviceStage) listComponents(c *call) (reply, error) {
	name, application := c.query.Get("component_name"), c.query.Get("application_name")
	if !c.quirks.ComponentApplicationFilter {
		application = ""
	}
	var candidates []*component
	switch {
	case name != "" && !c.quirks.FuzzyNameFilter:
		candidates = s.components.named(c.project(), name)
	case name != "" || application != "":
		candidates = s.components.all(c.project())
	default:
		return s.answerComponents(c, nil, false)
	}
	return s.answerComponents(c, slices.DeleteFunc(candidates, func(comp *component) bool {
		return !nameFits(comp.Name, name, c.quirks) || application != "" && s.applicationName(comp) != application
	}), true)
}

func (s *serviceStage) answerComponents(c *call, candidates []*component, filtered bool) (reply, error) {
	p, err := parsePaging(c.query, c.quirks)
	if err != nil {
		return reply{}, err
	}
	var records []*component
	var total int
	if filtered {
		records, total = s.components.pageOf(candidates, p)
	} else {
		records, total = s.components.page(c.project(), p)
	}
	items := make([]any, len(records))
	for i, comp := range records {
		items[i] = s.componentItem(comp, c.quirks)
	}
	return reply{status: http.StatusOK, body: map[string]any{"count": total, "components": items}}, nil
}

func (s *serviceStage) applicationName(comp *component) string {
	if app, ok := s.applications.get(comp.ProjectID, comp.ApplicationID); ok {
		return app.Name
	}
	return ""
}

func (s *serviceStage) environmentName(comp *component) string {
	if env, ok := s.environments.get(comp.ProjectID, comp.EnvironmentID); ok {
		return env.Name
	}
	return ""
}

// componentItem is table 5-134: no build, no envs and little of the configuration.
func (s *serviceStage) componentItem(comp *component, quirks Quirks) map[string]any {
	platform := "cce"
	if comp.onVirtualMachines() {
		platform = "vmapp"
	}
	item := map[string]any{
		"id": comp.ID, "name": comp.Name, "status": s.componentStatusBody(comp, quirks), "runtime_stack": comp.fields["runtime_stack"],
		"application_name": s.applicationName(comp), "application_id": comp.ApplicationID,
		"environment_name": s.environmentName(comp), "environment_id": comp.EnvironmentID,
		"version": comp.fields["version"], "source": shownSource(comp.fields), "creator": comp.fields["creator"], "platform_type": platform,
		"external_accesses": orNull(shownAccesses(comp, quirks), quirks),
	}
	if !quirks.HideListLabels {
		item["labels"] = orNull(listOf(comp.fields["labels"]), quirks)
	}
	return item
}

// componentDetail is table 5-195 with what clients met: no labels, and values that nobody asked for.
func (s *serviceStage) componentDetail(comp *component, quirks Quirks) map[string]any {
	body := maps.Clone(comp.fields)
	if body == nil {
		body = map[string]any{}
	}
	delete(body, "creator")
	delete(body, "labels")
	delete(body, "external_accesses")
	if quirks.DetailLabels {
		body["labels"] = orNull(listOf(comp.fields["labels"]), quirks)
	}
	if quirks.DetailAccesses {
		body["external_accesses"] = orNull(shownAccesses(comp, quirks), quirks)
	}
	body["id"], body["name"], body["description"] = comp.ID, comp.Name, textOf(comp.fields["description"])
	body["application_id"], body["environment_id"] = comp.ApplicationID, comp.EnvironmentID
	body["status"], body["workload_kind"] = s.componentStatusBody(comp, quirks), "deployment"
	body["source"], body["refer_resources"] = shownSource(comp.fields), shownReferences(comp.fields)
	body["envs"] = shownEnvs(comp, quirks)
	if build := objectOf(comp.fields["build"]); build != nil {
		body["build"] = shownBuild(comp, build)
	}
	if tomcat := objectOf(comp.fields["tomcat_opts"]); tomcat != nil {
		body["tomcat_opts"] = withDefaults(tomcat, map[string]any{"http_port": 0, "context_path": nil})
	}
	if !quirks.NoServerValues && !comp.onVirtualMachines() {
		body["update_strategy"] = withDefaults(objectOf(comp.fields["update_strategy"]), map[string]any{
			"type": "RollingUpdate", "max_surge": "25%", "max_unavailable": "25%", "min_ready_seconds": 0,
			"revision_history_limit": 10, "progress_deadline_seconds": 600, "termination_period_seconds": 30,
		})
	}
	return body
}

// componentStatusBody is tables 5-226 and 5-227.
func (s *serviceStage) componentStatusBody(comp *component, quirks Quirks) map[string]any {
	status := s.statusOf(comp)
	if deleting, busy := s.runningJob(comp); busy && deleting.Name == jobDelete && quirks.KeepStatusWhileDeleting && deleting.Before != nil {
		status.ComponentStatus = deleting.Before.Status.ComponentStatus
	}
	body := map[string]any{
		"component_status": status.ComponentStatus, "available_replica": *status.AvailableReplica, "replica": *status.Replica,
		"fail_detail": nil, "last_job_id": nil, "creator": comp.fields["creator"],
		"create_time": comp.CreateTime, "update_time": comp.UpdateTime, "artifact": artifactOf(comp),
	}
	if status.FailDetail != "" {
		body["fail_detail"] = status.FailDetail
	}
	if status.LastJobID != "" {
		body["last_job_id"] = status.LastJobID
	}
	return body
}

// artifactOf is table 5-227: the package on virtual machines, otherwise the image, which a build puts into the
// organisation of its artifact_namespace (the image's name is made up).
func artifactOf(comp *component) any {
	source := objectOf(comp.fields["source"])
	if source == nil {
		return nil
	}
	if comp.onVirtualMachines() {
		return map[string]any{"type": "package", "url": sourceURL(comp.fields)}
	}
	url := textOf(source["url"])
	if source["kind"] != "image" {
		namespace := textOf(objectOf(shownBuild(comp, objectOf(comp.fields["build"]))["parameters"])["artifact_namespace"])
		url = fmt.Sprintf("swr.cloud.test/%s/%s:%s", namespace, strings.ToLower(comp.Name), comp.version())
	}
	return map[string]any{"type": "image", "url": url}
}

// withDefaults returns values over defaults.
func withDefaults(values, defaults map[string]any) map[string]any {
	all := maps.Clone(defaults)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, values)
	return all
}

// shownSource fills in the defaults of table 5-124.
func shownSource(fields map[string]any) any {
	source := objectOf(fields["source"])
	switch {
	case source == nil:
		return nil
	case source["kind"] == "code":
		return withDefaults(source, map[string]any{"auth": "iam", "repo_ref": "master"})
	}
	return withDefaults(source, map[string]any{"auth": "iam"})
}

// shownBuild fills in the defaults of table 5-126.
func shownBuild(comp *component, build map[string]any) map[string]any {
	return map[string]any{"parameters": withDefaults(objectOf(build["parameters"]), map[string]any{
		"dockerfile_path": "./", "artifact_namespace": "cas_" + comp.ProjectID,
	})}
}

// shownReferences gathers virtual machines in one resource, as the reference's example of a detail shows them, and
// fills in the namespace of clusters.
func shownReferences(fields map[string]any) []any {
	shown := []any{}
	hosts := hostsOf(fields)
	for _, resource := range objectsOf(fields["refer_resources"]) {
		switch resource["type"] {
		case "ecs":
			if hosts != nil {
				shown = append(shown, map[string]any{"id": "Default", "type": "ecs", "parameters": map[string]any{"hosts": hosts}})
				hosts = nil
			}
			continue
		case "cce":
			resource = maps.Clone(resource)
			resource["parameters"] = withDefaults(objectOf(resource["parameters"]), map[string]any{"namespace": "default"})
		}
		shown = append(shown, resource)
	}
	return shown
}

// shownEnvs adds what the cloud puts there by itself: some marked inner, some with a prefix of its own, and TZ.
func shownEnvs(comp *component, quirks Quirks) []any {
	shown := append([]any{}, listOf(comp.fields["envs"])...)
	if quirks.NoServerValues {
		return shown
	}
	zone := textOf(comp.fields["timezone"])
	if zone == "" {
		zone = "UTC"
	}
	for _, added := range []map[string]any{
		{"name": "CAS_APPLICATION_ID", "value": comp.ApplicationID, "inner": true},
		{"name": "CAS_COMPONENT_NAME", "value": comp.Name, "inner": true},
		{"name": "CAS_ENVIRONMENT_ID", "value": comp.EnvironmentID},
		{"name": "PAAS_PROJECT_ID", "value": comp.ProjectID},
		{"name": "AOM_LOG_LEVEL", "value": "INFO"},
		{"name": "SERVICE_MAPPING", "value": comp.Name, "inner": true},
		{"name": "TZ", "value": zone},
	} {
		if !slices.ContainsFunc(objectsOf(shown), func(env map[string]any) bool { return env["name"] == added["name"] }) {
			shown = append(shown, added)
		}
	}
	return shown
}

// shownAccesses adds the access that a workload has inside its cluster, which is not HTTP.
func shownAccesses(comp *component, quirks Quirks) []any {
	shown := append([]any{}, listOf(comp.fields["external_accesses"])...)
	if quirks.NoServerValues || comp.onVirtualMachines() || comp.clusterID() == "" {
		return shown
	}
	return append(shown, map[string]any{"protocol": "TCP", "address": "10.247.0.10", "forward_port": 3000})
}
