// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// OutcomeHeld as the result of an outcome makes a job stand still at its task until the outcomes are set anew.
const OutcomeHeld = "HELD"

// Outcome makes jobs of components or engines end in a way of its own. Empty fields match everything.
type Outcome struct {
	// Component is a glob on the component's name.
	Component string `json:"component,omitempty"`
	// Engine is a glob on an engine's name. A rule with it is about jobs of engines and no others: Job is then Create,
	// Delete, Upgrade, Modify or Configure, Task a glob on a phase, Result Error, Timeout or HELD, Message the phase's log.
	Engine string `json:"engine,omitempty"`
	// Job is what the job does: create, update, delete or one of the actions.
	Job string `json:"job,omitempty"`
	// Task is a glob on a task's name: the first that fits is where it happens. "" is the build where there is one,
	// otherwise the last task. Jobs without such a task do not match.
	Task string `json:"task,omitempty"`
	// Nth is the first matching job that it applies to, then Count is 1 unless it is set; 0 is every one.
	Nth   int `json:"nth,omitempty"`
	Count int `json:"count,omitempty"`
	// Result is FAILED, CANCELLED, PARTIALLY_FAILED, ROLLBACKED, UNKNOWN or HELD.
	Result string `json:"result"`
	// Message is the task's, JSON in a string as the reference shows it.
	Message string `json:"message,omitempty"`
	// FailDetail is the component's fail_detail, where the one that goes with the job is not wanted.
	FailDetail string `json:"failDetail,omitempty"`
}

// OutcomeState is an outcome with its counters.
type OutcomeState struct {
	Outcome
	// Matches counts the jobs that fitted, Hits those that it applied to.
	Matches int `json:"matches"`
	Hits    int `json:"hits"`
}

var (
	outcomeResults = []string{jobFailed, jobCancelled, jobPartiallyFailed, jobRollbacked, jobUnknown, OutcomeHeld}
	// Those of engines.
	engineOutcomeResults = []string{engineJobError, engineJobTimeout, OutcomeHeld}
	engineOutcomeJobs    = []string{"", jobTypeCreate, jobTypeDelete, jobTypeUpgrade, jobTypeModify, jobTypeConfigure}

	outcomeJobs = []string{
		"", jobCreate, "update", jobDelete, "start", "stop", "restart", "scale", "rollback", "rollback_current", "continue_deploy", "modify_gray_rule",
	}
)

func (o Outcome) validate() error {
	results, jobs := outcomeResults, outcomeJobs
	if o.Engine != "" {
		results, jobs = engineOutcomeResults, engineOutcomeJobs
	}
	if o.Engine != "" && o.Component != "" {
		return fmt.Errorf("engine: use either component or engine, not both")
	}
	if !slices.Contains(results, o.Result) {
		return fmt.Errorf("result: unknown value %q, use one of %s", o.Result, strings.Join(results, ", "))
	}
	if !slices.Contains(jobs, o.Job) {
		return fmt.Errorf("job: unknown value %q, use one of%s", o.Job, strings.Join(jobs, " "))
	}
	if o.Nth < 0 || o.Count < 0 {
		return fmt.Errorf("nth and count must not be negative")
	}
	return nil
}

// outcomes is the list of them, with counters.
type outcomes struct {
	mu    sync.Mutex
	rules []*outcomeRule
}

type outcomeRule struct {
	state                   OutcomeState
	component, engine, task *regexp.Regexp
}

func (o *outcomes) set(list []Outcome) error {
	rules := make([]*outcomeRule, 0, len(list))
	for i, outcome := range list {
		if err := outcome.validate(); err != nil {
			return fmt.Errorf("outcomes[%d].%w", i, err)
		}
		if outcome.Nth > 0 && outcome.Count == 0 {
			outcome.Count = 1
		}
		rule := &outcomeRule{state: OutcomeState{Outcome: outcome}}
		for _, glob := range []struct {
			text string
			into **regexp.Regexp
		}{{outcome.Component, &rule.component}, {outcome.Engine, &rule.engine}, {outcome.Task, &rule.task}} {
			if glob.text == "" {
				continue
			}
			compiled, err := regexp.Compile(globRegexp(glob.text))
			if err != nil {
				return fmt.Errorf("outcomes[%d]: %q is not a glob: %w", i, glob.text, err)
			}
			*glob.into = compiled
		}
		rules = append(rules, rule)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rules = rules
	return nil
}

func (o *outcomes) list() []OutcomeState {
	o.mu.Lock()
	defer o.mu.Unlock()
	states := make([]OutcomeState, len(o.rules))
	for i, rule := range o.rules {
		states[i] = rule.state
	}
	return states
}

// next returns how a job that starts is to end, with the name of the task where it happens; nil is well.
func (o *outcomes) next(component, name string, tasks []task) *Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, rule := range o.rules {
		at := rule.taskOf(tasks)
		if at < 0 || !rule.fits(component, name) || !rule.applies() {
			continue
		}
		outcome := rule.state.Outcome
		outcome.Task = tasks[at].Name
		if outcome.Message == "" && outcome.Result != OutcomeHeld {
			outcome.Message = taskMessage("ECC00010", tasks[at].Name+" failed.")
			if tasks[at].Build {
				outcome.Message = taskMessage("ECC00011", "Building failed.")
			}
		}
		return &outcome
	}
	return nil
}

// nextEngine is next for a job of an engine; phases are those that are still to come.
func (o *outcomes) nextEngine(engine, kind string, phases []enginePhase) *Outcome {
	tasks := make([]task, len(phases))
	for i, p := range phases {
		tasks[i].Name = p.Name
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, rule := range o.rules {
		at := rule.taskOf(tasks)
		if at < 0 || rule.engine == nil || !rule.engine.MatchString(engine) || (rule.state.Job != "" && rule.state.Job != kind) || !rule.applies() {
			continue
		}
		outcome := rule.state.Outcome
		outcome.Task = tasks[at].Name
		if outcome.Message == "" && outcome.Result != OutcomeHeld {
			outcome.Message = tasks[at].Name + " failed."
		}
		return &outcome
	}
	return nil
}

func (r *outcomeRule) fits(component, name string) bool {
	return r.engine == nil && (r.component == nil || r.component.MatchString(component)) && (r.state.Job == "" || r.state.Job == name)
}

// taskOf is the index of the task where the outcome happens, -1 for none.
func (r *outcomeRule) taskOf(tasks []task) int {
	if r.task != nil {
		return slices.IndexFunc(tasks, func(t task) bool { return r.task.MatchString(t.Name) })
	}
	if build := slices.IndexFunc(tasks, func(t task) bool { return t.Build }); build >= 0 {
		return build
	}
	return len(tasks) - 1
}

func (r *outcomeRule) applies() bool {
	r.state.Matches++
	if r.state.Matches < r.state.Nth || (r.state.Count > 0 && r.state.Hits >= r.state.Count) {
		return false
	}
	r.state.Hits++
	return true
}

// ClusterFault is a CCE cluster that has vanished: every component in it shows the status and fail_detail given and no
// available replica, and its jobs fail. It ends when the cluster leaves the list.
type ClusterFault struct {
	// ID is the cluster's, as refer_resources names it.
	ID string `json:"id"`
	// FailDetail is one of table 5-226, cluster_deleted for instance.
	FailDetail string `json:"failDetail"`
	// ComponentStatus is FAILED where it is left out.
	ComponentStatus string `json:"componentStatus"`
}

var failDetails = []string{
	"cluster_deleted", "cluster_unavailable", "cluster_inaccessible", "namespace_deleted", "namespace_unavailable", "namespace_inaccessible",
	"resource_deleted", "create_failed", "delete_failed",
}

// clusters is the set of clusters that have vanished.
type clusters struct {
	mu     sync.Mutex
	faults []ClusterFault
}

func (c *clusters) set(list []ClusterFault) error {
	faults := slices.Clone(list)
	for i := range faults {
		if faults[i].ID == "" {
			return fmt.Errorf("clusters[%d].id: must be set", i)
		}
		if !slices.Contains(failDetails, faults[i].FailDetail) {
			return fmt.Errorf("clusters[%d].failDetail: unknown value %q, use one of %s", i, faults[i].FailDetail, strings.Join(failDetails, ", "))
		}
		if faults[i].ComponentStatus == "" {
			faults[i].ComponentStatus = statusFailed
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = faults
	return nil
}

func (c *clusters) list() []ClusterFault {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]ClusterFault{}, c.faults...)
}

func (c *clusters) of(id string) (ClusterFault, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.faults, func(f ClusterFault) bool { return id != "" && f.ID == id })
	if i < 0 {
		return ClusterFault{}, false
	}
	return c.faults[i], true
}
