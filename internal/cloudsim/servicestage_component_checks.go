// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
)

var (
	// The pattern of table 5-96, its dot taken for the dot that the examples show.
	versionPattern = regexp.MustCompile(`^([0-9]+)(\.[0-9]+){2,3}$`)
	storageName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
)

// readComponent reads a create or update body: form by the rules, then what fields demand of each other.
func (s *serviceStage) readComponent(c *call, rules []fieldRule) (map[string]any, error) {
	var body map[string]any
	if err := c.decode(&body); err != nil {
		return nil, badParameter("%v.", err)
	}
	fields, err := readFields(rules, "", body)
	if err != nil {
		return nil, err
	}
	if metrics, ok := fields["custom_metrics"]; ok {
		fields["custom_metric"] = metrics
		delete(fields, "custom_metrics")
	}
	creating := fields["environment_id"] != nil
	for _, check := range []func(map[string]any) error{
		checkComponentName, checkComponentVersion,
		func(fields map[string]any) error { return checkStackForm(fields, c.quirks) },
		func(fields map[string]any) error { return checkReferences(fields, creating) },
		func(fields map[string]any) error {
			// An update may leave the build out: what the component has counts then, see checkUpdate.
			if !creating {
				return nil
			}
			return checkSourceAndBuild(fields)
		},
		checkLimits, checkEnvs, checkStorages, checkStrategy, checkHooks, checkMesher, checkWorkload,
	} {
		if err := check(fields); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

func checkComponentName(fields map[string]any) error { return checkName(textOf(fields["name"]), "") }

func checkComponentVersion(fields map[string]any) error {
	if !versionPattern.MatchString(textOf(fields["version"])) {
		return badParameter("version must be three or four numbers joined by dots, for example 1.0.0.")
	}
	return nil
}

// checkStackForm applies the note of table 5-123: virtual machines run Java, Tomcat and Node.js only.
func checkStackForm(fields map[string]any, quirks Quirks) error {
	stack := objectOf(fields["runtime_stack"])
	if quirks.StackVersionMandatory && textOf(stack["version"]) == "" {
		return badParameter("runtime_stack.version is mandatory.")
	}
	if stack["deploy_mode"] == "virtualmachine" && !slices.Contains([]string{"Java", "Tomcat", "Nodejs"}, textOf(stack["type"])) {
		return badParameter("runtime_stack.type must be Java, Tomcat or Nodejs when deploy_mode is virtualmachine.")
	}
	return nil
}

// checkReferences wants a place to run: the error table's "basic resource cannot be empty".
func checkReferences(fields map[string]any, creating bool) error {
	resources, given := fields["refer_resources"]
	if given && len(listOf(resources)) == 0 {
		return &apiError{status: http.StatusBadRequest, code: "SVCSTG.00100422", message: "The basic resource cannot be empty."}
	}
	for i, resource := range objectsOf(resources) {
		// Table 5-179; table 5-119 does not demand it.
		if !creating && resource["type"] == "cce" && resource["parameters"] == nil {
			return badParameter("refer_resources[%d].parameters is mandatory when type is cce.", i)
		}
	}
	return nil
}

// checkPlacement checks a configuration against the environment that it is to run in.
func checkPlacement(env *environment, fields map[string]any) error {
	mode := textOf(objectOf(fields["runtime_stack"])["deploy_mode"])
	if env.DeployMode != "" && env.DeployMode != "mixed" && env.DeployMode != mode {
		return badParameter("runtime_stack.deploy_mode %s does not fit the environment, whose deploy_mode is %s.", mode, env.DeployMode)
	}
	if mode == "virtualmachine" {
		if len(hostsOf(fields)) == 0 && !refersTo(fields, "as") {
			return badParameter("refer_resources must name at least one host (type ecs) when deploy_mode is virtualmachine.")
		}
		return nil
	}
	if !refersTo(fields, "cce") {
		return badParameter("refer_resources must name the CCE cluster (type cce) when deploy_mode is container.")
	}
	for i, resource := range objectsOf(fields["refer_resources"]) {
		bound := slices.ContainsFunc(env.Resources, func(r environmentResource) bool { return r.Type == "cce" && r.ID == resource["id"] })
		if resource["type"] == "cce" && !bound {
			return badParameter("refer_resources[%d].id: the CCE cluster %v is not bound to the environment.", i, resource["id"])
		}
	}
	return nil
}

func refersTo(fields map[string]any, kind string) bool {
	return slices.ContainsFunc(objectsOf(fields["refer_resources"]), func(r map[string]any) bool { return r["type"] == kind })
}

// hostsOf returns the virtual machines of a configuration: a resource each (the reference's example of a create), or
// one resource "Default" that lists them (its example of a detail).
func hostsOf(fields map[string]any) []string {
	var hosts []string
	for _, resource := range objectsOf(fields["refer_resources"]) {
		if resource["type"] != "ecs" {
			continue
		}
		listed := listOf(objectOf(resource["parameters"])["hosts"])
		for _, host := range listed {
			hosts = append(hosts, textOf(host))
		}
		if id := textOf(resource["id"]); len(listed) == 0 && id != "" && id != "Default" {
			hosts = append(hosts, id)
		}
	}
	return hosts
}

// checkSourceAndBuild applies "mandatory when": url and storage of tables 5-124 and 5-184, build of table 5-96. That
// code needs its repo_url is inferred.
func checkSourceAndBuild(fields map[string]any) error {
	source := objectOf(fields["source"])
	kind := textOf(source["kind"])
	needed := []string{"url", "storage"}
	if kind == "code" {
		needed = []string{"repo_url"}
	}
	for _, name := range needed {
		if textOf(source[name]) == "" {
			return badParameter("source.%s is mandatory when kind is %s.", name, kind)
		}
	}
	if needsBuild(fields) && objectOf(fields["build"])["parameters"] == nil {
		return badParameter("build is mandatory when the component is deployed in containers and no image is used.")
	}
	return nil
}

func needsBuild(fields map[string]any) bool {
	return objectOf(fields["source"])["kind"] != "image" && objectOf(fields["runtime_stack"])["deploy_mode"] == "container"
}

// checkLimits refuses requests above limits. A limit of 0 is no limit.
func checkLimits(fields map[string]any) error {
	for _, resource := range []string{"cpu", "memory"} {
		limit, limited := fields["limit_"+resource].(float64)
		request, _ := fields["request_"+resource].(float64)
		if limited && limit > 0 && request > limit {
			return badParameter("request_%s must not exceed limit_%s.", resource, resource)
		}
	}
	return nil
}

func checkEnvs(fields map[string]any) error {
	seen := map[string]bool{}
	for i, env := range objectsOf(fields["envs"]) {
		name := textOf(env["name"])
		if seen[name] {
			return badParameter("envs[%d].name %s is there twice.", i, name)
		}
		seen[name] = true
		if textOf(env["value"]) != "" && env["value_from"] != nil {
			return badParameter("envs[%d] must have either value or value_from.", i)
		}
	}
	return nil
}

// checkStorages applies "mandatory when" of table 5-99.
func checkStorages(fields map[string]any) error {
	needed := map[string]string{"HostPath": "path", "ConfigMap": "name", "Secret": "name", "PersistentVolumeClaim": "name"}
	seen := map[string]bool{}
	for i, storage := range objectsOf(fields["storages"]) {
		kind, name := textOf(storage["type"]), textOf(storage["name"])
		if !storageName.MatchString(name) {
			return badParameter("storages[%d].name must consist of lower-case letters, digits and hyphens.", i)
		}
		if seen[name] {
			return badParameter("storages[%d].name %s is there twice.", i, name)
		}
		seen[name] = true
		if field := needed[kind]; field != "" && textOf(objectOf(storage["parameters"])[field]) == "" {
			return badParameter("storages[%d].parameters.%s is mandatory when type is %s.", i, field, kind)
		}
		if len(listOf(storage["mounts"])) == 0 {
			return badParameter("storages[%d].mounts must not be empty.", i)
		}
	}
	return nil
}

// checkStrategy applies tables 5-101 to 5-103 and, where replica_surge_mode or deployment_mode is there, the newer
// form of gray_release.
func checkStrategy(fields map[string]any) error {
	strategy := objectOf(fields["deploy_strategy"])
	switch strategy["type"] {
	case "RollingRelease":
		rolling, ok := strategy["rolling_release"].(map[string]any)
		if !ok {
			return badParameter("deploy_strategy.rolling_release is mandatory when type is RollingRelease.")
		}
		if integer(rolling["batches"]) < 1 {
			return badParameter("deploy_strategy.rolling_release.batches must be at least 1.")
		}
	case "GrayRelease":
		gray, ok := strategy["gray_release"].(map[string]any)
		if !ok {
			return badParameter("deploy_strategy.gray_release is mandatory when type is GrayRelease.")
		}
		return checkGray(gray, integer(fields["replica"]))
	}
	return nil
}

func checkGray(gray map[string]any, replica int) error {
	const at = "deploy_strategy.gray_release."
	if gray["replica_surge_mode"] != nil || gray["deployment_mode"] != nil {
		for _, name := range []string{"replica_surge_mode", "deployment_mode"} {
			if gray[name] == nil {
				return badParameter(at+"%s is mandatory.", name)
			}
		}
	} else {
		for _, name := range []string{"first_batch_weight", "first_batch_replica"} {
			if gray[name] == nil {
				return badParameter(at+"%s is mandatory.", name)
			}
		}
		// Create and detail say remaining_batches, update and records remaining_batch.
		if gray["remaining_batches"] == nil && gray["remaining_batch"] == nil {
			return badParameter(at + "remaining_batches is mandatory.")
		}
	}
	for _, name := range []string{"first_batch_replica", "remaining_batches", "remaining_batch"} {
		if gray[name] != nil && integer(gray[name]) < 1 {
			return badParameter(at+"%s must be at least 1.", name)
		}
	}
	if first := integer(gray["first_batch_replica"]); replica > 0 && first > replica {
		return badParameter(at+"first_batch_replica must not exceed replica, which is %d.", replica)
	}
	return nil
}

// checkHooks applies the one-ofs of probes (table 5-118) and lifecycle hooks (table 5-105). That a type's own fields
// are mandatory is inferred from "valid only when".
func checkHooks(fields map[string]any) error {
	for _, name := range []string{"post_start", "pre_stop", "liveness_probe", "readiness_probe"} {
		hook, ok := fields[name].(map[string]any)
		if !ok {
			continue
		}
		if err := checkHook(name, hook); err != nil {
			return err
		}
	}
	return nil
}

func checkHook(name string, hook map[string]any) error {
	kind := textOf(hook["type"])
	needed := map[string]string{"http": "port", "tcp": "port", "command": "command"}[kind]
	if isZero(hook[needed]) {
		return badParameter("%s.%s is mandatory when type is %s.", name, needed, kind)
	}
	valid := map[string][]string{"http": {"scheme", "host", "path", "port"}, "tcp": {"port"}, "command": {"command"}}[kind]
	for _, field := range []string{"scheme", "host", "path", "port", "command"} {
		if !isZero(hook[field]) && !slices.Contains(valid, field) {
			return badParameter("%s.%s is not valid when type is %s.", name, field, kind)
		}
	}
	return nil
}

// isZero says that a value is as good as absent.
func isZero(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// checkMesher applies "mandatory when Node.js is selected and the CSE engine is bound".
func checkMesher(fields map[string]any) error {
	if objectOf(fields["runtime_stack"])["type"] == "Nodejs" && refersTo(fields, "cse") && fields["mesher"] == nil {
		return badParameter("mesher is mandatory when the runtime stack is Nodejs and a CSE engine is bound.")
	}
	return nil
}

// checkWorkload goes by the newer references: a component in YAML needs its manifest.
func checkWorkload(fields map[string]any) error {
	if fields["config_mode"] == "yaml" && textOf(fields["workload_content"]) == "" {
		return badParameter("workload_content is mandatory when config_mode is yaml.")
	}
	return nil
}

// resolveStack finds the runtime stack and fills in the version that the body leaves out.
func (s *serviceStage) resolveStack(fields map[string]any, quirks Quirks) error {
	wanted := objectOf(fields["runtime_stack"])
	var found *RuntimeStack
	for _, stack := range s.stacks.list() {
		if stack.fits(wanted) && (stack.Status == StackSupported || quirks.OldStacks) {
			found = &stack
		}
	}
	if found == nil {
		return &apiError{
			status: http.StatusBadRequest, code: "SVCSTG.00100420",
			message: fmt.Sprintf("The runtime system is not supported: %v %v (%v).", wanted["name"], wanted["version"], wanted["deploy_mode"]),
		}
	}
	if textOf(wanted["version"]) == "" {
		wanted["version"] = found.Version
	}
	return nil
}
