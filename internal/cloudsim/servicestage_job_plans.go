// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import "fmt"

const (
	jobCreate = "create"
	jobDelete = "delete"
)

// jobPlan is what a job is to do, worked out before it starts. Plans are pure: they read a configuration and numbers.
// The names of SEPARATOR_* tasks and TN00097 are those of the reference's example, the others are made up.
type jobPlan struct {
	name string
	// during is the component's status while the job runs, goal the one after it.
	during, goal  string
	goalAvailable int
	failDetail    string
	tasks         []task
}

// jobType is JOB_TYPE of table 4-227.
func (p jobPlan) jobType() string {
	switch p.name {
	case jobCreate:
		return "PROVISION"
	case jobDelete:
		return "DEPROVISION"
	}
	return "DAILY_OPERATION"
}

// planCreate brings the instances up in up to three batches. A first release has nothing to be gray against: the
// deployment strategy counts from the first update on (inferred).
func planCreate(fields map[string]any) jobPlan {
	replica := integer(fields["replica"])
	tasks := prepareTasks(fields, 0)
	tasks = append(tasks, comingUp("DEPLOY", 0, split(replica, 3))...)
	return jobPlan{
		name: jobCreate, during: statusInitializing, goal: statusRunning, goalAvailable: replica, failDetail: "create_failed",
		tasks: append(tasks, checkTask(replica)),
	}
}

// planRelease replaces all instances as the deployment strategy says: in one batch, in batches, or a first gray batch.
func planRelease(name string, fields map[string]any) jobPlan {
	replica := integer(fields["replica"])
	plan := jobPlan{name: name, during: statusUpgrading, goal: statusRunning, goalAvailable: replica, tasks: prepareTasks(fields, replica)}
	batches := []int{replica}
	strategy := objectOf(fields["deploy_strategy"])
	switch strategy["type"] {
	case "RollingRelease":
		batches = split(replica, integer(objectOf(strategy["rolling_release"])["batches"]))
	case "GrayRelease":
		batches = []int{firstBatch(fields)}
		plan.goal = statusGraying
	}
	plan.tasks = append(plan.tasks, replacing("DEPLOY", replica, batches)...)
	plan.tasks = append(plan.tasks, checkTask(replica))
	return plan
}

// planStoppedUpdate changes a component that has no instances.
func planStoppedUpdate(fields map[string]any) jobPlan {
	return jobPlan{name: "update", during: statusUpgrading, goal: statusStopped, tasks: append(prepareTasks(fields, 0), checkTask(0))}
}

// planContinue deploys what a gray release has left.
func planContinue(fields map[string]any) jobPlan {
	replica := integer(fields["replica"])
	gray := grayOf(fields)
	batches := split(replica-firstBatch(fields), max(1, remainingBatches(gray)))
	tasks := append(separator("SEPARATOR_DEPLOYING", replica), replacing("DEPLOY", replica, batches)...)
	return jobPlan{name: "continue_deploy", during: statusUpgrading, goal: statusRunning, goalAvailable: replica, tasks: append(tasks, checkTask(replica))}
}

// planGiveUp replaces the gray instances by the version in use; fields are those of the gray release.
func planGiveUp(name string, fields map[string]any) jobPlan {
	replica := integer(fields["replica"])
	tasks := append(separator("SEPARATOR_DEPLOYING", replica), replacing("ROLLBACK", replica, []int{firstBatch(fields)})...)
	return jobPlan{name: name, during: statusUpgrading, goal: statusRunning, goalAvailable: replica, tasks: append(tasks, checkTask(replica))}
}

// planRollback returns all instances to a former configuration in one batch, without building anew.
func planRollback(name string, replica int) jobPlan {
	tasks := append(separator("SEPARATOR_DEPLOYING", replica), replacing("ROLLBACK", replica, []int{replica})...)
	return jobPlan{name: name, during: statusUpgrading, goal: statusRunning, goalAvailable: replica, tasks: append(tasks, checkTask(replica))}
}

// planScale adds or removes instances. UPGRADING while it runs is inferred: no word of table 5-226 speaks of scaling.
func planScale(from, to int) jobPlan {
	tasks := separator("SEPARATOR_SCALING", min(from, to))
	if to > from {
		tasks = append(tasks, comingUp("SCALE", from, split(to-from, 3))...)
	}
	return jobPlan{name: "scale", during: statusUpgrading, goal: statusRunning, goalAvailable: to, tasks: append(tasks, checkTask(to))}
}

func planStop(available int) jobPlan {
	tasks := append(separator("SEPARATOR_STOPPING", available), checkTask(0))
	return jobPlan{name: "stop", during: statusStopping, goal: statusStopped, tasks: tasks}
}

// planStart serves start and restart.
func planStart(name, during string, replica int) jobPlan {
	tasks := append(separator("SEPARATOR_STARTING", 0), comingUp("START", 0, split(replica, 3))...)
	return jobPlan{name: name, during: during, goal: statusRunning, goalAvailable: replica, tasks: append(tasks, checkTask(replica))}
}

// planGrayRule changes what the gray instances get; the component goes on graying.
func planGrayRule(replica int) jobPlan {
	return jobPlan{name: "modify_gray_rule", during: statusGraying, goal: statusGraying, goalAvailable: replica, tasks: []task{
		{Name: "MODIFY_GRAY_RULE", Type: "restful", Available: replica},
	}}
}

func planDelete(available int) jobPlan {
	return jobPlan{name: jobDelete, during: statusDeleting, failDetail: "delete_failed", tasks: []task{
		{Name: "SEPARATOR_DELETING", Type: "echo", Available: available},
		{Name: "DELETE_INSTANCES", Type: "kube", Available: 0},
		{Name: "DELETE_RESOURCES", Type: "restful", Available: 0},
	}}
}

func separator(name string, available int) []task {
	return []task{{Name: name, Type: "echo", Available: available}}
}

// prepareTasks are the tasks before a deployment, the build among them where one is needed.
func prepareTasks(fields map[string]any, available int) []task {
	tasks := separator("SEPARATOR_PREPARE_RESOURCES", available)
	if needsBuild(fields) {
		tasks = append(tasks,
			task{Name: "SEPARATOR_BUILDING", Type: "echo", Available: available},
			task{Name: "TN00097", Type: "restful", Available: available, Build: true})
	}
	return append(tasks, separator("SEPARATOR_DEPLOYING", available)...)
}

// comingUp is one task per batch of new instances; a batch is available once its task has ended.
func comingUp(verb string, available int, batches []int) []task {
	var tasks []task
	for i, size := range batches {
		tasks = append(tasks, task{Name: batchName(verb, i, len(batches)), Type: "kube", Available: available})
		available += size
	}
	return tasks
}

// replacing is one task per batch of instances that are replaced; they are not available meanwhile.
func replacing(verb string, replica int, batches []int) []task {
	var tasks []task
	for i, size := range batches {
		tasks = append(tasks, task{Name: batchName(verb, i, len(batches)), Type: "kube", Available: replica - size})
	}
	return tasks
}

func batchName(verb string, i, of int) string { return fmt.Sprintf("%s_BATCH_%d_OF_%d", verb, i+1, of) }

func checkTask(available int) task {
	return task{Name: "CHECK_INSTANCES", Type: "kube", Available: available}
}

// split divides n into at most parts, the first ones larger: 5 in 3 is 2:2:1 (table 5-103). The result has at least
// one part, which is 0 for n = 0.
func split(n, parts int) []int {
	parts = max(1, min(parts, n))
	sizes := make([]int, parts)
	for i := range sizes {
		sizes[i] = n / parts
		if i < n%parts {
			sizes[i]++
		}
	}
	return sizes
}

func grayOf(fields map[string]any) map[string]any {
	return objectOf(objectOf(fields["deploy_strategy"])["gray_release"])
}

// firstBatch is the number of gray instances: at least one where there is any instance.
func firstBatch(fields map[string]any) int {
	return min(max(1, integer(grayOf(fields)["first_batch_replica"])), integer(fields["replica"]))
}

func remainingBatches(gray map[string]any) int {
	return max(integer(gray["remaining_batch"]), integer(gray["remaining_batches"]))
}
