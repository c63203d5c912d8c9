// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"maps"
	"net/http"
	"slices"
)

// action is one of table 5-231: in which states it is allowed and what it does. run answers nil where there is no job.
type action struct {
	statuses []string
	run      func(s *serviceStage, c *call, comp *component, parameters map[string]any) (*job, error)
}

var running = []string{statusRunning, statusDown, statusPartiallyFailed}

// actions are those of the reference and rollback_current, which newer references add. The states are inferred from
// what the actions mean; only that there are wrong ones is documented (SVCSTG.00100419).
var actions = map[string]action{
	"start":              {[]string{statusStopped}, (*serviceStage).startComponent},
	"stop":               {running, (*serviceStage).stopComponent},
	"restart":            {running, (*serviceStage).restartComponent},
	"scale":              {running, (*serviceStage).scaleComponent},
	"rollback":           {[]string{statusRunning, statusDown, statusPartiallyFailed, statusFailed, statusUnknown, statusGraying}, (*serviceStage).rollbackComponent},
	"rollback_current":   {[]string{statusGraying, statusFailed, statusPartiallyFailed}, (*serviceStage).rollbackCurrent},
	"continue_deploy":    {[]string{statusGraying}, (*serviceStage).continueDeploy},
	"check_gray_release": {[]string{statusGraying}, (*serviceStage).checkGrayRelease},
	"modify_gray_rule":   {[]string{statusGraying}, (*serviceStage).modifyGrayRule},
}

// actionRules are table 5-232. What modify_gray_rule takes is in no reference: the weight by the name that create and
// update give it, alone or in the object that they put it in, is inferred.
var actionRules = []fieldRule{
	mandatory(textField("action")),
	objectField("parameters",
		integerField("replica"), textField("version"), textsField("hosts"),
		fieldRule{name: "first_batch_weight", form: formInteger, highest: 100},
		objectField("gray_release", fieldRule{name: "first_batch_weight", form: formInteger, highest: 100})),
}

// actOnComponent is 5.3.7.
func (s *serviceStage) actOnComponent(c *call) (reply, error) {
	comp, err := s.component(c)
	if err != nil {
		return reply{}, err
	}
	var body map[string]any
	if err := c.decode(&body); err != nil {
		return reply{}, badParameter("%v.", err)
	}
	fields, err := readFields(actionRules, "", body)
	if err != nil {
		return reply{}, err
	}
	wanted, defined := actions[textOf(fields["action"])]
	if !defined {
		return reply{}, &apiError{status: http.StatusBadRequest, code: "SVCSTG.00100418", message: "The component instance operation is not defined."}
	}
	if _, busy := s.runningJob(comp); busy || !slices.Contains(wanted.statuses, s.statusOf(comp).ComponentStatus) {
		return reply{}, notInThisState()
	}
	started, err := wanted.run(s, c, comp, objectOf(fields["parameters"]))
	if err != nil {
		return reply{}, err
	}
	answer := map[string]any{"job_id": nil, "result": "succeeded"}
	if started != nil {
		answer["job_id"] = started.ID
	}
	return reply{status: http.StatusOK, body: answer}, nil
}

func (s *serviceStage) startComponent(c *call, comp *component, _ map[string]any) (*job, error) {
	return s.startJob(c, comp, planStart("start", statusStarting, comp.replica()), snapshotOf(comp), nil), nil
}

func (s *serviceStage) stopComponent(c *call, comp *component, _ map[string]any) (*job, error) {
	return s.startJob(c, comp, planStop(comp.available()), snapshotOf(comp), nil), nil
}

func (s *serviceStage) restartComponent(c *call, comp *component, _ map[string]any) (*job, error) {
	return s.startJob(c, comp, planStart("restart", statusRestarting, comp.replica()), snapshotOf(comp), nil), nil
}

// scaleComponent takes the number of instances, on virtual machines the list of hosts, which is mandatory there.
func (s *serviceStage) scaleComponent(c *call, comp *component, parameters map[string]any) (*job, error) {
	replica, given := parameters["replica"]
	to := integer(replica)
	hosts := listOf(parameters["hosts"])
	switch {
	case comp.onVirtualMachines() && len(hosts) == 0:
		return nil, badParameter("parameters.hosts is mandatory when the component is deployed on virtual machines.")
	case comp.onVirtualMachines():
		to = len(hosts)
	case !given:
		return nil, badParameter("parameters.replica is mandatory.")
	}
	return s.startJob(c, comp, planScale(comp.available(), to), snapshotOf(comp), func(next *component) {
		next.setField("replica", to)
		if comp.onVirtualMachines() {
			next.setField("refer_resources", withHosts(listOf(comp.fields["refer_resources"]), hosts))
		}
	}), nil
}

// withHosts replaces the virtual machines among the resources.
func withHosts(resources, hosts []any) []any {
	rest := slices.DeleteFunc(slices.Clone(resources), func(r any) bool { return objectOf(r)["type"] == "ecs" })
	return append(rest, map[string]any{"id": "Default", "type": "ecs", "parameters": map[string]any{"hosts": hosts}})
}

// rollbackComponent returns to the configuration of a version in the records; the number of instances stays.
func (s *serviceStage) rollbackComponent(c *call, comp *component, parameters map[string]any) (*job, error) {
	version := textOf(parameters["version"])
	if version == "" {
		return nil, badParameter("parameters.version is mandatory.")
	}
	found := s.releaseOf(comp, version)
	if found == nil {
		return nil, &apiError{status: http.StatusNotFound, code: "SVCSTG.00100436", message: "Instance snapshot not found."}
	}
	return s.rollBack(c, comp, "rollback", found), nil
}

// rollbackCurrent gives up what is being released: back to the release in use.
func (s *serviceStage) rollbackCurrent(c *call, comp *component, _ map[string]any) (*job, error) {
	stable := s.currentRelease(comp)
	if stable == nil {
		return nil, &apiError{status: http.StatusNotFound, code: "SVCSTG.00100436", message: "Instance snapshot not found."}
	}
	return s.rollBack(c, comp, "rollback_current", stable), nil
}

func (s *serviceStage) rollBack(c *call, comp *component, name string, to *release) *job {
	plan := planRollback(name, comp.replica())
	if s.statusOf(comp).ComponentStatus == statusGraying {
		plan = planGiveUp(name, comp.fields)
	}
	fields := maps.Clone(to.Fields)
	fields["replica"] = comp.replica()
	return s.startRelease(c, comp, plan, fields, snapshotOf(comp))
}

// continueDeploy goes on with a gray release: a second job of the same record.
func (s *serviceStage) continueDeploy(c *call, comp *component, _ map[string]any) (*job, error) {
	started := s.startJob(c, comp, planContinue(comp.fields), snapshotOf(comp), nil)
	if graying := s.grayingRelease(comp); graying != nil {
		return s.addToRelease(graying, started), nil
	}
	return started, nil
}

// checkGrayRelease looks whether the gray instances are well; it changes nothing and has no job (inferred).
func (s *serviceStage) checkGrayRelease(*call, *component, map[string]any) (*job, error) {
	return nil, nil
}

// modifyGrayRule changes the weight of the gray instances.
func (s *serviceStage) modifyGrayRule(c *call, comp *component, parameters map[string]any) (*job, error) {
	weight, given := parameters["first_batch_weight"]
	if !given {
		weight, given = objectOf(parameters["gray_release"])["first_batch_weight"]
	}
	if !given {
		return nil, badParameter("parameters.first_batch_weight is mandatory.")
	}
	gray := withDefaults(map[string]any{"first_batch_weight": weight}, grayOf(comp.fields))
	strategy := withDefaults(map[string]any{"gray_release": gray}, objectOf(comp.fields["deploy_strategy"]))
	fields := withDefaults(map[string]any{"deploy_strategy": strategy}, comp.fields)
	if graying := s.grayingRelease(comp); graying != nil {
		s.releases.update(graying, func(next *release) { next.Fields = fields })
	}
	return s.startJob(c, comp, planGrayRule(comp.replica()), snapshotOf(comp), func(next *component) { next.fields = fields }), nil
}

// statusOf is a component's status as the cloud shows it: that of its record, unless its cluster has vanished.
func (s *serviceStage) statusOf(comp *component) componentStatus {
	status := comp.Status
	available, replica := comp.available(), comp.replica()
	status.AvailableReplica = &available
	if status.Replica == nil {
		status.Replica = &replica
	}
	if status.ComponentStatus == "" {
		status.ComponentStatus = statusRunning
	}
	if fault, vanished := s.clusters.of(comp.clusterID()); vanished && status.ComponentStatus != statusDeleting {
		none := 0
		status.ComponentStatus, status.FailDetail, status.AvailableReplica = fault.ComponentStatus, fault.FailDetail, &none
	}
	return status
}
